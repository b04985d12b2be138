package main

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestParseSLT(t *testing.T) {
	records, err := parseSLT("# comment\nstatement ok\nselect 1;\nselect 2\n\nquery IT rowsort lbl\nselect a,\n b\n----\n1\nx\n\nstatement error 22012\nselect 1/0\n\nquery I\nselect 1 where false\n----\n\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 4 || records[0].sql != "select 1;\nselect 2" || records[1].types != "IT" || records[1].sort != "rowsort" ||
		records[1].label != "lbl" || len(records[1].answer) != 2 || records[2].code != "22012" || records[3].sort != "nosort" || records[3].answer != nil {
		t.Errorf("%+v", records)
	}
	if _, err := parseSLT("what is this\n"); err == nil {
		t.Error("an unknown record was accepted")
	}
}

func TestCompareAnswer(t *testing.T) {
	result := func(rows ...[][]byte) []*pgconn.Result {
		return []*pgconn.Result{{FieldDescriptions: make([]pgconn.FieldDescription, 2), Rows: rows}}
	}
	two := result([][]byte{[]byte("2"), []byte("b\tc")}, [][]byte{[]byte("1.9"), nil})
	ok := &sltRecord{types: "IT", sort: "rowsort", answer: []string{"1", "NULL", "2", "b@c"}}
	if v := compareAnswer(ok, two, map[string]string{}); v != "" {
		t.Error(v)
	}
	for name, r := range map[string]*sltRecord{
		"order matters": {types: "IT", sort: "nosort", answer: []string{"1", "NULL", "2", "b@c"}},
		"a value":       {types: "IT", sort: "rowsort", answer: []string{"1", "NULL", "3", "b@c"}},
		"missing rows":  {types: "IT", sort: "rowsort", answer: []string{"1", "NULL"}},
		"columns":       {types: "I", sort: "rowsort", answer: []string{"1", "2"}},
		"hash":          {types: "IT", sort: "rowsort", answer: []string{"4 values hashing to 00000000000000000000000000000000"}},
	} {
		if compareAnswer(r, two, map[string]string{}) == "" {
			t.Errorf("%s: a difference was not found", name)
		}
	}
	labels := map[string]string{"l": "other"}
	ok.label = "l"
	if compareAnswer(ok, two, labels) == "" {
		t.Error("a difference between queries of one label was not found")
	}
}
