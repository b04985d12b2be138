package catalog

import (
	"reflect"
	"testing"

	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// Roles of the tests: owner owns the table, reader was granted SELECT through
// the group readers, auditor may unmask one column, columns holds a column
// grant, stranger nothing.
const (
	owner uint32 = 20000 + iota
	readers
	reader
	noInherit
	auditor
	columns
	stranger
)

func testCatalog(t *testing.T) *Snapshot {
	t.Helper()
	role := func(id uint32, name string, inherit bool, of ...uint32) Change {
		return Change{Create: true, Role: &policy.Role{ID: id, Name: name, Inherit: inherit, MemberOf: of}}
	}
	cat, err := New().Apply([]Change{
		role(owner, "owner", true), role(readers, "readers", true), role(reader, "reader", true, readers),
		role(noInherit, "noinherit", false, readers), role(auditor, "auditor", true), role(columns, "columns", true), role(stranger, "stranger", true),
		{Create: true, Masking: &policy.Masking{ID: 30000, Name: "hide", Family: "text", Kind: policy.MaskConstant, Const: "hidden"}},
		{Create: true, Masking: &policy.Masking{ID: 30001, Name: "null", Family: "any", Kind: policy.MaskNull}},
		{Create: true, Table: &Table{ID: 40000, Schema: SchemaPublic, Name: "people", Owner: owner, Version: 1, NextCol: 5,
			Columns: []Column{{ID: 1, Name: "id", Type: types.Int4}, {ID: 2, Name: "email", Type: types.Text, Masking: 30000},
				{ID: 3, Name: "income", Type: types.Int8, Masking: 30001}, {ID: 4, Name: "ts", Type: types.Timestamptz}},
			Options: Options{Retention: 100, RetentionText: "100 us"},
			Grants: []policy.Grant{{Role: readers, Priv: policy.Select}, {Role: auditor, Priv: policy.Select},
				{Role: auditor, Priv: policy.Unmask, Cols: []uint32{2}}, {Role: columns, Priv: policy.Select, Cols: []uint32{1, 2}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func TestResolve(t *testing.T) {
	cat := testCatalog(t)
	for _, c := range []struct {
		name         string
		p            policy.Principal
		sees         bool // any privilege
		selectAll    bool
		email, money bool // masked
	}{
		{"superuser", policy.Principal{RoleID: RoleAdmin, Superuser: true}, true, true, false, false},
		{"superuser without unmask", policy.Principal{RoleID: RoleAdmin, Superuser: true, NoUnmask: true}, true, true, true, true},
		{"owner is masked too", policy.Principal{RoleID: owner}, true, true, true, true},
		{"member of a granted role", policy.Principal{RoleID: reader}, true, true, true, true},
		{"member that does not inherit", policy.Principal{RoleID: noInherit}, false, false, true, true},
		{"unmask of one column", policy.Principal{RoleID: auditor}, true, true, false, true},
		{"column grant", policy.Principal{RoleID: columns}, true, false, true, true},
		{"stranger", policy.Principal{RoleID: stranger}, false, false, true, true},
		{"role that does not exist", policy.Principal{RoleID: 77}, false, false, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := policy.Resolve(cat, 40000, c.p, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if v.HasAny() != c.sees || v.Has(policy.Select) != c.selectAll || (v.Mask(2) != nil) != c.email || (v.Mask(3) != nil) != c.money || v.Mask(1) != nil {
				t.Errorf("any %v, select %v, masks %v %v %v", v.HasAny(), v.Has(policy.Select), v.Mask(1), v.Mask(2), v.Mask(3))
			}
			if bound := c.email || c.money || !c.selectAll; v.Bound() != bound {
				t.Errorf("bound %v", v.Bound())
			}
			if floor, col, ok := v.Floor(); !ok || floor != 900 || col != 4 {
				t.Errorf("floor %d of column %d, %v: it binds everybody", floor, col, ok)
			}
		})
	}
}

func TestCheckSelect(t *testing.T) {
	cat := testCatalog(t)
	v, err := policy.Resolve(cat, 40000, policy.Principal{RoleID: columns}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cols []uint32
		ok   bool
	}{{nil, true}, {[]uint32{1}, true}, {[]uint32{1, 2}, true}, {[]uint32{1, 3}, false}, {[]uint32{ColReceivedAt}, false}} {
		if err := v.CheckSelect("people", c.cols); (err == nil) != c.ok || err != nil && errs.CodeOf(err) != errs.InsufficientPrivilege {
			t.Errorf("columns %v: %v", c.cols, err)
		}
	}
}

// TestMasksShowNothing: the masked vector holds no byte of the raw one, and a
// policy that vanished hides everything.
func TestMasksShowNothing(t *testing.T) {
	cat := testCatalog(t)
	raw := vec.NewBuilder(types.Text, 2)
	raw.AppendBytes([]byte("somebody@a-long-address.example"))
	raw.Null()
	src := raw.Finish()
	for _, drop := range []bool{false, true} {
		if drop {
			var err error
			if cat, err = cat.Apply([]Change{{Drop: "masking", ID: 30000}}); err != nil {
				t.Fatal(err)
			}
		}
		v, err := policy.Resolve(cat, 40000, policy.Principal{RoleID: reader}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var dst vec.Vector
		if err := v.Mask(2).Apply(&src, nil, &dst); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			d := dst.Datum(i)
			if drop != d.Null || !drop && d.S != "hidden" {
				t.Errorf("dropped %v, row %d: %+v", drop, i, d)
			}
		}
		for _, b := range dst.Bufs {
			if len(b) > len("hidden") {
				t.Errorf("the mask carries a buffer %q", b)
			}
		}
	}
}

func TestFloorOnlyRises(t *testing.T) {
	cat := testCatalog(t)
	tab := *cat.Table(40000)
	tab.Floor = 950
	cat, err := cat.Apply([]Change{{Table: &tab}})
	if err != nil {
		t.Fatal(err)
	}
	for now, want := range map[int64]int64{1000: 950, 2000: 1900, 0: 950} {
		v, err := policy.Resolve(cat, 40000, policy.Principal{RoleID: reader}, now)
		if err != nil {
			t.Fatal(err)
		}
		if floor, _, _ := v.Floor(); floor != want {
			t.Errorf("at %d the floor is %d, not %d", now, floor, want)
		}
	}
}

func TestViewEqual(t *testing.T) {
	cat := testCatalog(t)
	view := func(cat *Snapshot, role uint32, now int64) *policy.View {
		v, err := policy.Resolve(cat, 40000, policy.Principal{RoleID: role}, now)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if !view(cat, reader, 1000).Equal(view(cat, reader, 2000)) {
		t.Error("only time passed, and the views differ")
	}
	if view(cat, reader, 1000).Equal(view(cat, auditor, 1000)) {
		t.Error("views with other masks are equal")
	}
	changed, err := cat.Apply([]Change{{Masking: &policy.Masking{ID: 30000, Name: "hide", Family: "text", Kind: policy.MaskConstant, Const: "other"}}})
	if err != nil {
		t.Fatal(err)
	}
	if view(cat, reader, 1000).Equal(view(changed, reader, 1000)) {
		t.Error("a changed constant left the views equal")
	}
}

// TestApply: names are unique, replay is harmless, and a stored catalog comes
// back as it was.
func TestApply(t *testing.T) {
	cat := testCatalog(t)
	if _, err := cat.Apply([]Change{{Create: true, Table: &Table{ID: 40001, Schema: SchemaPublic, Name: "people"}}}); errs.CodeOf(err) != errs.DuplicateTable {
		t.Error(err)
	}
	if _, err := cat.Apply([]Change{{Create: true, Role: &policy.Role{ID: 40001, Name: "owner"}}}); errs.CodeOf(err) != errs.DuplicateObject {
		t.Error(err)
	}
	if _, err := cat.Apply([]Change{{Table: &Table{ID: 40001, Schema: SchemaPublic, Name: "gone"}}}); errs.CodeOf(err) != errs.UndefinedTable {
		t.Error(err)
	}
	renamed := *cat.Table(40000)
	renamed.Name = "persons"
	next, err := cat.Apply([]Change{{Table: &renamed}})
	if err != nil || next.TableByName(SchemaPublic, "people") != nil || next.TableByName(SchemaPublic, "persons") == nil || cat.TableByName(SchemaPublic, "people") == nil {
		t.Error("rename", err)
	}
	if next.Version() <= cat.Version() || next.PolicyEpoch() <= cat.PolicyEpoch() || next.NextOID() <= 40000 {
		t.Error("version, epoch or next OID did not rise")
	}
	data, err := next.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Unmarshal(data)
	if err != nil || !reflect.DeepEqual(back.Tables(), next.Tables()) || !reflect.DeepEqual(back.Roles(), next.Roles()) || back.NextOID() != next.NextOID() {
		t.Error("a stored catalog came back changed", err)
	}
	if _, err := Unmarshal(data[:len(data)/2]); errs.CodeOf(err) != errs.DataCorrupted {
		t.Error(err)
	}
}

func TestFamilies(t *testing.T) {
	for typ, want := range map[types.Type]string{types.Int8: "numeric", types.Text: "text", types.Date: "date", types.JSONB: "json", types.UUID: "uuid"} {
		if got := policy.Family(typ); got != want {
			t.Errorf("%s: %s", typ, got)
		}
	}
	m := &policy.Masking{Name: "m", Family: "text", Kind: policy.MaskConstant, Const: "x"}
	if err := policy.ValidateMask(m, types.Int8); errs.CodeOf(err) != errs.DatatypeMismatch {
		t.Error(err)
	}
	m.Family = "any"
	if err := policy.ValidateMask(m, types.Int8); errs.CodeOf(err) != errs.InvalidText {
		t.Error("a constant that the column's type refuses:", err)
	}
}
