package dialect

import "strings"

// Redact replaces every literal of text that may hold a secret by '***', for
// logs: strings behind PASSWORD, the value of a masking key, an erased subject,
// and passwords inside the values of SET. It works by token position on any
// text, also one with a syntax error; where the text breaks off inside a string
// everything from there on is cut.
func Redact(text string) string {
	toks, err := Lex(text)
	var b strings.Builder
	last := 0
	cut := func(start, end int) {
		b.WriteString(text[last:start])
		b.WriteString("'***'")
		last = end
	}
	for i := range toks {
		t := &toks[i]
		if (t.Kind == String || t.Kind == Bits) && secretAt(toks, i) {
			cut(int(t.Start), int(t.End))
		}
	}
	if err == nil {
		b.WriteString(text[last:])
		return b.String()
	}
	// The lexer stopped: what it has not read is shown only if it cannot be
	// part of a secret.
	read := 0
	if n := len(toks); n > 0 {
		read = int(toks[n-1].End)
	}
	if !mayHoldSecret(toks) {
		b.WriteString(text[last:])
		return b.String()
	}
	b.WriteString(text[last:max(last, read)])
	b.WriteString("***")
	return b.String()
}

// secretAt reports whether the string token i is a secret by the words before
// it.
func secretAt(toks []Token, i int) bool {
	word := func(back int) string {
		if i-back < 0 || toks[i-back].Kind != Word {
			return ""
		}
		return toks[i-back].Text
	}
	switch {
	case word(1) == "password":
		return true
	case word(1) == "hex" && word(2) == "from":
		return true
	case word(1) == "subject" && word(2) == "erase":
		return true
	}
	// SET x.password = '…', WITH (secret = '…'), and strings adjacent to a
	// secret by mistake.
	if i >= 1 && (toks[i-1].Op("=") || toks[i-1].Is("to") || toks[i-1].Kind == String) {
		for back := 2; back <= 4 && i-back >= 0; back++ {
			if t := &toks[i-back]; (t.Kind == Word || t.Kind == Quoted) && isSecretName(t.Text) {
				return true
			}
		}
	}
	return false
}

func isSecretName(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "password") || strings.Contains(s, "secret") || strings.HasSuffix(s, "_key") || s == "subject"
}

// mayHoldSecret reports whether the statement being read names a secret.
func mayHoldSecret(toks []Token) bool {
	for i := range toks {
		t := &toks[i]
		if t.Kind == Word || t.Kind == Quoted {
			if isSecretName(t.Text) || t.Text == "hex" {
				return true
			}
		}
	}
	return false
}
