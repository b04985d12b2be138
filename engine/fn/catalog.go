package fn

import (
	"strings"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// catalogDecls declares the functions that CatalogHandle.Call answers, one
// overload a line: name, arguments > result. A "?" says that it sees NULLs
// itself, a "!" that it is volatile; the rest is stable.
const catalogDecls = `
version > text
pg_postmaster_start_time > timestamptz
pg_conf_load_time > timestamptz
pg_is_in_recovery > bool
txid_current > int8 !
pg_my_temp_schema > oid
pg_table_is_visible oid > bool
pg_type_is_visible oid > bool
pg_function_is_visible oid > bool
pg_operator_is_visible oid > bool
pg_collation_is_visible oid > bool
pg_conversion_is_visible oid > bool
pg_opclass_is_visible oid > bool
pg_opfamily_is_visible oid > bool
pg_ts_config_is_visible oid > bool
pg_ts_dict_is_visible oid > bool
pg_ts_parser_is_visible oid > bool
pg_relation_is_publishable regclass > bool
pg_get_userbyid oid > name
format_type oid int4 > text ?
pg_get_expr pg_node_tree oid > text
pg_get_expr pg_node_tree oid bool > text
pg_get_expr text oid > text
pg_get_expr text oid bool > text
pg_get_constraintdef oid > text
pg_get_constraintdef oid bool > text
pg_get_indexdef oid > text
pg_get_indexdef oid int4 bool > text
pg_get_viewdef oid > text
pg_get_viewdef oid bool > text
pg_get_ruledef oid > text
pg_get_ruledef oid bool > text
pg_get_triggerdef oid > text
pg_get_triggerdef oid bool > text
pg_get_partkeydef oid > text
pg_get_statisticsobjdef_columns oid > text
pg_get_function_result oid > text
pg_get_function_arguments oid > text
pg_get_function_identity_arguments oid > text
pg_get_functiondef oid > text
pg_get_function_sqlbody oid > text
pg_get_serial_sequence text text > text
pg_tablespace_location oid > text
obj_description oid > text
obj_description oid name > text
col_description oid int4 > text
shobj_description oid name > text
pg_encoding_to_char int4 > name
pg_char_to_encoding name > int4
pg_relation_size regclass > int8
pg_relation_size regclass text > int8
pg_table_size regclass > int8
pg_total_relation_size regclass > int8
pg_indexes_size regclass > int8
pg_database_size name > int8
pg_database_size oid > int8
has_table_privilege text text > bool
has_table_privilege oid text > bool
has_table_privilege name text text > bool
has_table_privilege name oid text > bool
has_table_privilege oid text text > bool
has_table_privilege oid oid text > bool
has_any_column_privilege text text > bool
has_any_column_privilege oid text > bool
has_any_column_privilege name text text > bool
has_any_column_privilege name oid text > bool
has_column_privilege text text text > bool
has_column_privilege oid text text > bool
has_column_privilege text int2 text > bool
has_column_privilege oid int2 text > bool
has_schema_privilege text text > bool
has_schema_privilege oid text > bool
has_schema_privilege name text text > bool
has_schema_privilege name oid text > bool
has_schema_privilege oid oid text > bool
has_database_privilege text text > bool
has_database_privilege oid text > bool
has_database_privilege name text text > bool
has_database_privilege name oid text > bool
has_function_privilege text text > bool
has_function_privilege oid text > bool
has_function_privilege name oid text > bool
has_type_privilege oid text > bool
has_tablespace_privilege text text > bool
has_tablespace_privilege oid text > bool
has_language_privilege text text > bool
has_language_privilege oid text > bool
has_sequence_privilege text text > bool
has_sequence_privilege oid text > bool
pg_has_role name text > bool
pg_has_role oid text > bool
pg_has_role name name text > bool
pg_has_role name oid text > bool
pg_has_role oid oid text > bool
current_setting text > text
current_setting text bool > text
set_config text text bool > text ?!
to_regclass text > regclass
to_regtype text > regtype
to_regproc text > regproc
to_regnamespace text > regnamespace
to_regrole text > regrole
nextval regclass > int8 !
currval regclass > int8 !
setval regclass int8 > int8 !
setval regclass int8 bool > int8 !
lastval > int8 !
pg_advisory_lock int8 > void !
pg_try_advisory_lock int8 > bool !
pg_advisory_lock int4 int4 > void !
pg_try_advisory_lock int4 int4 > bool !
pg_advisory_lock_shared int8 > void !
pg_try_advisory_lock_shared int8 > bool !
pg_advisory_lock_shared int4 int4 > void !
pg_try_advisory_lock_shared int4 int4 > bool !
pg_advisory_xact_lock int8 > void !
pg_try_advisory_xact_lock int8 > bool !
pg_advisory_xact_lock int4 int4 > void !
pg_try_advisory_xact_lock int4 int4 > bool !
pg_advisory_xact_lock_shared int8 > void !
pg_try_advisory_xact_lock_shared int8 > bool !
pg_advisory_xact_lock_shared int4 int4 > void !
pg_try_advisory_xact_lock_shared int4 int4 > bool !
pg_advisory_unlock int8 > bool !
pg_advisory_unlock int4 int4 > bool !
pg_advisory_unlock_shared int8 > bool !
pg_advisory_unlock_shared int4 int4 > bool !
pg_advisory_unlock_all > void !
pg_cancel_backend int4 > bool !
pg_terminate_backend int4 > bool !
pg_stat_get_numscans oid > int8
`

// catalogFuncs are the catalog's functions that no other family has.
func catalogFuncs(taken map[string][]*Func) []*Func {
	var out []*Func
	for line := range strings.Lines(catalogDecls) {
		f := strings.Fields(line)
		if len(f) == 0 || taken[f[0]] != nil {
			continue
		}
		d := &Func{Name: f[0], Vol: Stable, CanRaise: true, Kernel: callCatalog(f[0])}
		at := 1
		for ; f[at] != ">"; at++ {
			d.Args = append(d.Args, declType(f[at]))
		}
		d.Ret = declType(f[at+1])
		for _, mark := range f[at+2:] {
			d.NotStrict = d.NotStrict || strings.Contains(mark, "?")
			if strings.Contains(mark, "!") {
				d.Vol = Volatile
			}
		}
		out = append(out, d)
	}
	return out
}

func declType(name string) types.OID {
	t, ok := types.ByName(name)
	if !ok {
		panic("catalog function with unknown type " + name) // a broken table is a bug of the build
	}
	return t.OID
}

// callCatalog runs a catalog function row by row.
func callCatalog(name string) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		if env.Catalog == nil {
			return errs.NotSupported("function " + name + " outside a session")
		}
		put := setter(out)
		vals := make([]types.Datum, len(args))
		return rows(env, sel, n, func(i int) error {
			for k := range args {
				vals[k] = args[k].Datum(i)
			}
			d, err := env.Catalog.Call(name, vals)
			if err != nil {
				return err
			}
			if d.Null {
				out.SetNull(i)
			} else {
				put(i, &d)
			}
			return nil
		})
	}
}
