package dialect

import (
	"strings"
	"testing"

	"quern/storage/errs"
)

func kinds(toks []Token) string {
	var b strings.Builder
	for _, t := range toks {
		switch t.Kind {
		case EOF:
			continue
		case Word:
			b.WriteString("w:")
		case Quoted:
			b.WriteString("q:")
		case String:
			b.WriteString("s:")
		case Bits:
			b.WriteString("b:")
		case Int:
			b.WriteString("i:")
		case Number:
			b.WriteString("n:")
		case Param:
			b.WriteString("$:")
		case Op:
			b.WriteString("o:")
		case Punct:
			b.WriteString("p:")
		}
		b.WriteString(t.Text)
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

func TestLex(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`SELECT "A""b", ÉtÉ`, `w:select q:A"b p:, w:ÉtÉ`},
		{`'it''s' 'a\'`, `s:it's s:a\`},
		{"'a'\n -- note\n 'b'", `s:ab`},
		{"'a' /* no\n */ 'b'", `s:a s:b`},
		{`E'\n\x41\101\u0042\U00000043\q\''`, "s:\nAABCq'"},
		{`E'\ud83d\ude00'`, "s:\U0001F600"},
		{`U&'d\0061t\+000061\\' U&"!0061" UESCAPE '!'`, `s:data\ q:a`},
		{`N'abc' B'10' X'1f'`, `s:abc b:b10 b:x1f`},
		{`$$a'b$$ $t$x $$ y$t$ $12`, `s:a'b s:x $$ y $:12`},
		{`1 1.5 .5 5. 1e10 1_000 0x1F 0o17 0b101 1..2 007`, `i:1 n:1.5 n:.5 n:5. n:1e10 i:1000 i:31 i:15 i:5 i:1 p:.. i:2 i:7`},
		{`a--b`, `w:a`},
		{`5--1`, `i:5`},
		{`1 /* a /* b */ c */ + 2`, `i:1 o:+ i:2`},
		{`/*! 1 + */ /*+ h */ 2`, `i:2`},
		{`a<-1 b@-1 c=>d e!=f g||-h i*-j`, `w:a o:< o:- i:1 w:b o:@- i:1 w:c p:=> w:d w:e o:<> w:f w:g o:||- w:h w:i o:* o:- w:j`},
		{`a#b a::int x:=1 y:z`, `w:a o:# w:b w:a p::: w:int w:x p::= i:1 w:y p:: w:z`},
		{strings.Repeat("é", 40), "w:" + strings.Repeat("é", 31)},
	} {
		toks, err := Lex(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := kinds(toks); got != c.want {
			t.Errorf("%s\n  got  %s\n  want %s", c.in, got, c.want)
		}
	}
}

func TestLexErrors(t *testing.T) {
	for _, c := range []struct {
		in   string
		code errs.Code
		msg  string
	}{
		{"a\x00b", errs.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0x00`},
		{"a\xffb", errs.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0xff`},
		{`E'\u12'`, errs.InvalidEscape, "invalid Unicode escape"},
		{strings.Repeat("(", 1001), errs.TooComplex, "statement is nested deeper than 1000 levels"},
		{`'abc`, errs.Syntax, `unterminated quoted string at or near "'abc"`},
		{`/* /* */`, errs.Syntax, `unterminated /* comment at or near "/* /* */"`},
	} {
		_, err := Lex(c.in)
		if e := errs.As(err); err == nil || e.Code != c.code || e.Msg != c.msg {
			t.Errorf("%.20q: got %v, want %s %s", c.in, err, c.code, c.msg)
		}
	}
}

func TestRedact(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`CREATE ROLE r LOGIN PASSWORD 'se''cret'`, `CREATE ROLE r LOGIN PASSWORD '***'`},
		{`alter user u with encrypted password E'a\'b' valid until 'x'`, `alter user u with encrypted password '***' valid until 'x'`},
		{`create role r password $q$s$q$ login; select 'ok'`, `create role r password '***' login; select 'ok'`},
		{"create role r password 'a'\n'b' foo bar", "create role r password '***' foo bar"},
		{`create role r pasword 'x'`, `create role r pasword 'x'`},
		{`create role r password 'open`, `create role r password***`},
		{`create role r password /* c */ 'x' '`, `create role r password /* c */ '***'***`},
		{`create masking key k from hex '00ff'`, `create masking key k from hex '***'`},
		{`erase subject 'ann@x' key k`, `erase subject '***' key k`},
		{`set my.password = 'x'`, `set my.password = '***'`},
		{`select 'abc`, `select 'abc`},
		{`select 'a' where password = 1`, `select 'a' where password = 1`},
	} {
		if got := Redact(c.in); got != c.want {
			t.Errorf("%s\n  got  %s\n  want %s", c.in, got, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	text := " select 1 ; ; (select ';' ; 2) ;\tselect 2"
	toks, err := Lex(text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range Split(toks) {
		if p.Empty() {
			got = append(got, "")
			continue
		}
		got = append(got, text[p.Start:p.End])
	}
	want := []string{"select 1", "", "(select ';' ; 2)", "select 2"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzLexer: no panic; tokens lie in order inside the text; brackets match both
// ways; redaction never shows more than the text.
func FuzzLexer(f *testing.F) {
	for _, s := range []string{`select E'\u0041' || U&"x" from t where a = $1`, "$$x$$ 'a'\n'b' 1_0.5e-3", "((a[1]))", "0x", "1e+", "é\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		toks, err := Lex(s)
		end := int32(0)
		for i, k := range toks {
			if k.Start < end || k.End < k.Start || int(k.End) > len(s) {
				t.Fatalf("token %d: [%d,%d) behind %d in %d bytes", i, k.Start, k.End, end, len(s))
			}
			end = k.End
			if k.Match >= 0 && err == nil && toks[k.Match].Match != int32(i) {
				t.Fatalf("token %d matches %d, which matches %d", i, k.Match, toks[k.Match].Match)
			}
		}
		if err == nil && (len(toks) == 0 || toks[len(toks)-1].Kind != EOF) {
			t.Fatal("no EOF")
		}
		Redact(s)
	})
}
