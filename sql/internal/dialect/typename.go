package dialect

import (
	"strconv"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// TypeName takes a type name. It is PostgreSQL's Typename: the key word forms,
// generic names with modifiers, and array bounds.
func (w *Walker) TypeName() (*ast.TypeName, error) {
	t := w.Cur()
	setOf := w.Word("setof")
	tn, err := w.simpleType()
	if err != nil {
		return nil, err
	}
	tn.SetOf = setOf
	tn.Pos = int(t.Start)
	if w.Word("array") {
		bound := -1
		if w.Punct("[") {
			if bound, err = w.bound(); err != nil {
				return nil, err
			}
		}
		tn.Array = []int{bound}
		return tn, nil
	}
	for w.Cur().Punct("[") {
		w.P++
		bound, err := w.bound()
		if err != nil {
			return nil, err
		}
		tn.Array = append(tn.Array, bound)
	}
	return tn, nil
}

// bound takes n] or ].
func (w *Walker) bound() (int, error) {
	if w.Punct("]") {
		return -1, nil
	}
	n, err := w.IntLit()
	if err != nil {
		return 0, err
	}
	return n, w.Expect("]")
}

// IntLit takes an integer that fits int4.
func (w *Walker) IntLit() (int, error) {
	t := w.Cur()
	if t.Kind != Int {
		return 0, w.Err()
	}
	n, err := strconv.ParseInt(t.Text, 10, 32)
	if err != nil {
		return 0, w.Err()
	}
	w.P++
	return int(n), nil
}

// isTypeWord reports whether t begins one of the key word forms of types.
func isTypeWord(t *Token) bool {
	if t.Kind != Word {
		return false
	}
	switch t.Text {
	case "int", "integer", "smallint", "bigint", "real", "float", "decimal", "dec", "numeric", "boolean",
		"bit", "character", "char", "varchar", "national", "nchar", "timestamp", "time", "interval":
		return true
	}
	return false
}

func (w *Walker) simpleType() (*ast.TypeName, error) {
	t := w.Cur()
	if t.Is("double") && w.Peek(1).Is("precision") {
		w.P += 2
		return &ast.TypeName{Parts: []string{"float8"}}, nil
	}
	if !isTypeWord(t) {
		return w.genericType()
	}
	w.P++
	one := func(name string) (*ast.TypeName, error) { return &ast.TypeName{Parts: []string{name}}, nil }
	switch t.Text {
	case "int", "integer":
		return one("int4")
	case "smallint":
		return one("int2")
	case "bigint":
		return one("int8")
	case "real":
		return one("float4")
	case "boolean":
		return one("bool")
	case "float":
		return w.floatType()
	case "decimal", "dec", "numeric":
		mods, err := w.TypeMods()
		return &ast.TypeName{Parts: []string{"numeric"}, Mods: mods}, err
	case "bit":
		return w.lengthType("bit", "varbit")
	case "varchar":
		mods, err := w.TypeMods()
		return &ast.TypeName{Parts: []string{"varchar"}, Mods: mods}, err
	case "national":
		if !w.Word("character") && !w.Word("char") {
			return nil, w.Err()
		}
		return w.lengthType("bpchar", "varchar")
	case "character", "char", "nchar":
		return w.lengthType("bpchar", "varchar")
	case "interval":
		return w.intervalType()
	default:
		return w.timeType(t.Text)
	}
}

// floatType takes float [(p)].
func (w *Walker) floatType() (*ast.TypeName, error) {
	name := "float8"
	if t := w.Cur(); w.Punct("(") {
		n, err := w.IntLit()
		if err != nil {
			return nil, err
		}
		switch {
		case n < 1:
			return nil, errs.New(errs.InvalidParameterValue, "precision for type float must be at least 1 bit").WithPos(int(t.Start) + 2)
		case n > 53:
			return nil, errs.New(errs.InvalidParameterValue, "precision for type float must be less than 54 bits").WithPos(int(t.Start) + 2)
		case n <= 24:
			name = "float4"
		}
		if err := w.Expect(")"); err != nil {
			return nil, err
		}
	}
	return &ast.TypeName{Parts: []string{name}}, nil
}

// lengthType takes [VARYING] [(n)] behind char or bit.
func (w *Walker) lengthType(fixed, varying string) (*ast.TypeName, error) {
	name := fixed
	if w.Word("varying") {
		name = varying
	}
	mods, err := w.TypeMods()
	if err != nil {
		return nil, err
	}
	if mods == nil && name == fixed {
		mods = []int{1}
	}
	return &ast.TypeName{Parts: []string{name}, Mods: mods}, nil
}

// timeType takes [(p)] [WITH|WITHOUT TIME ZONE] behind time or timestamp.
func (w *Walker) timeType(name string) (*ast.TypeName, error) {
	mods, err := w.precision()
	if err != nil {
		return nil, err
	}
	switch {
	case w.Words("with", "time", "zone"):
		name += "tz"
	case w.Words("without", "time", "zone"):
	}
	return &ast.TypeName{Parts: []string{name}, Mods: mods}, nil
}

// intervalType takes [(p)] or [fields [(p)]] behind interval.
func (w *Walker) intervalType() (*ast.TypeName, error) {
	tn := &ast.TypeName{Parts: []string{"interval"}}
	var err error
	if tn.Mods, err = w.precision(); err != nil || tn.Mods != nil {
		return tn, err
	}
	tn.Fields, tn.Mods, err = w.IntervalFields()
	return tn, err
}

// IntervalFields takes YEAR, DAY TO SECOND(3) and the like, if it is there.
func (w *Walker) IntervalFields() (string, []int, error) {
	t := w.Cur()
	if t.Kind != Word {
		return "", nil, nil
	}
	var to []string
	switch t.Text {
	case "year":
		to = []string{"month"}
	case "day":
		to = []string{"hour", "minute", "second"}
	case "hour":
		to = []string{"minute", "second"}
	case "minute":
		to = []string{"second"}
	case "month", "second":
	default:
		return "", nil, nil
	}
	w.P++
	fields := t.Text
	if w.Cur().Is("to") {
		w.P++
		found := false
		for _, f := range to {
			if w.Cur().Is(f) {
				fields, found = fields+" to "+f, true
			}
		}
		if !found {
			return "", nil, w.Err()
		}
		w.P++
	}
	if n := len(fields); n >= 6 && fields[n-6:] == "second" {
		mods, err := w.precision()
		return fields, mods, err
	}
	return fields, nil, nil
}

// precision takes (n) if it is there.
func (w *Walker) precision() ([]int, error) {
	if !w.Punct("(") {
		return nil, nil
	}
	n, err := w.IntLit()
	if err != nil {
		return nil, err
	}
	return []int{n}, w.Expect(")")
}

// TypeMods takes (n, …) if it is there.
func (w *Walker) TypeMods() ([]int, error) {
	if !w.Punct("(") {
		return nil, nil
	}
	var mods []int
	for {
		neg := w.Op("-")
		if k := w.Cur().Kind; k != Int && (k == String || k == Word || k == Quoted || k == Number) {
			return nil, Refuse("type modifier other than an integer", w.Cur())
		}
		n, err := w.IntLit()
		if err != nil {
			return nil, err
		}
		if neg {
			n = -n
		}
		mods = append(mods, n)
		if !w.Punct(",") {
			return mods, w.Expect(")")
		}
	}
}

// genericType takes name[.name…] [(mods)].
func (w *Walker) genericType() (*ast.TypeName, error) {
	t := w.Cur()
	if !isFuncName(t) {
		return nil, w.Err()
	}
	n, err := w.Name(w.Next())
	if err != nil {
		return nil, err
	}
	tn := &ast.TypeName{Parts: []string{n}, Quoted: t.Kind == Quoted && quotedMatters(n)}
	for w.Punct(".") {
		if n, err = w.Label(); err != nil {
			return nil, err
		}
		tn.Parts = append(tn.Parts, n)
		tn.Quoted = false
	}
	if t := w.Cur(); t.Op("%") && w.Peek(1).Is("type") {
		return nil, Refuse("%TYPE", t)
	}
	if tn.Mods, err = w.TypeMods(); err != nil {
		return nil, err
	}
	return tn, nil
}

// quotedMatters reports whether the delimited name would be a key word form
// without its quotes.
func quotedMatters(n string) bool {
	t := Token{Kind: Word, Text: n}
	return isTypeWord(&t)
}
