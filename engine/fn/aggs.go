package fn

import "quern/storage/types"

func agg(name string, kind AggKind, ret types.OID, args ...types.OID) *Agg {
	return &Agg{Name: name, Kind: kind, Args: args, Ret: ret}
}

// aggregates lists all aggregates with PostgreSQL's result types.
func aggregates() []*Agg {
	out := []*Agg{
		agg("count", AggCountStar, tI8),
		agg("count", AggCount, tI8, tAny),
		agg("sum", AggSum, tI8, tI2), agg("sum", AggSum, tI8, tI4), agg("sum", AggSum, tNum, tI8),
		agg("sum", AggSum, tNum, tNum), agg("sum", AggSum, tF4, tF4), agg("sum", AggSum, tF8, tF8),
		agg("sum", AggSum, tIv, tIv),
		agg("avg", AggAvg, tNum, tI2), agg("avg", AggAvg, tNum, tI4), agg("avg", AggAvg, tNum, tI8),
		agg("avg", AggAvg, tNum, tNum), agg("avg", AggAvg, tF8, tF4), agg("avg", AggAvg, tF8, tF8),
		agg("avg", AggAvg, tIv, tIv),
		agg("bool_and", AggBoolAnd, tBool, tBool), agg("every", AggBoolAnd, tBool, tBool),
		agg("bool_or", AggBoolOr, tBool, tBool),
		agg("string_agg", AggStringAgg, tText, tText, tText),
		agg("string_agg", AggStringAgg, tBytea, tBytea, tBytea),
		agg("array_agg", AggArrayAgg, tArr, tElem),
		agg("any_value", AggAnyValue, tElem, tElem),
		agg("min", AggMin, tElem, tArr), agg("max", AggMax, tElem, tArr), // of the array's type
	}
	for _, t := range []types.OID{tI2, tI4, tI8, tF4, tF8, tNum, tText, tBpchar, tDate, tTime, tTimetz, tTs, tTstz, tIv, tOid, tInet} {
		out = append(out, agg("min", AggMin, t, t), agg("max", AggMax, t, t))
	}
	for _, s := range []struct {
		name string
		kind AggKind
	}{
		{"stddev", AggStddevSamp}, {"stddev_samp", AggStddevSamp}, {"stddev_pop", AggStddevPop},
		{"variance", AggVarSamp}, {"var_samp", AggVarSamp}, {"var_pop", AggVarPop},
	} {
		for _, t := range []types.OID{tI2, tI4, tI8, tNum} {
			out = append(out, agg(s.name, s.kind, tNum, t))
		}
		out = append(out, agg(s.name, s.kind, tF8, tF4), agg(s.name, s.kind, tF8, tF8))
	}
	for name, kind := range map[string]AggKind{
		"covar_pop": AggCovarPop, "covar_samp": AggCovarSamp, "corr": AggCorr, "regr_avgx": AggRegrAvgX, "regr_avgy": AggRegrAvgY,
		"regr_sxx": AggRegrSxx, "regr_syy": AggRegrSyy, "regr_sxy": AggRegrSxy, "regr_slope": AggRegrSlope,
		"regr_intercept": AggRegrIntercept, "regr_r2": AggRegrR2,
	} {
		out = append(out, agg(name, kind, tF8, tF8, tF8))
	}
	out = append(out,
		agg("regr_count", AggRegrCount, tI8, tF8, tF8),
		agg("json_agg", AggJSONAgg, tJSON, tElem), agg("jsonb_agg", AggJSONAgg, tJSONB, tElem),
		agg("json_object_agg", AggJSONObjectAgg, tJSON, tAny, tAny), agg("jsonb_object_agg", AggJSONObjectAgg, tJSONB, tAny, tAny),
		agg("approx_count_distinct", AggApproxDistinct, tI8, tAny),
		agg("approx_percentile", AggApproxPercentile, tF8, tF8, tF8))
	out = append(out, orderedSets()...)
	for _, t := range []types.OID{tI2, tI4, tI8} {
		out = append(out, agg("bit_and", AggBitAnd, t, t), agg("bit_or", AggBitOr, t, t), agg("bit_xor", AggBitXor, t, t))
	}
	return out
}

// orderedSets are the aggregates with WITHIN GROUP.
func orderedSets() []*Agg {
	const f8s = types.OID(1022)
	const ivs = types.OID(1187)
	within := func(name string, kind AggKind, ret types.OID, direct int, args ...types.OID) *Agg {
		return &Agg{Name: name, Kind: kind, Args: args, Ret: ret, Within: true, Direct: direct}
	}
	out := []*Agg{
		within("percentile_cont", AggPercentileCont, tF8, 1, tF8, tF8),
		within("percentile_cont", AggPercentileCont, tIv, 1, tIv, tF8),
		within("percentile_cont", AggPercentileCont, f8s, 1, tF8, f8s),
		within("percentile_cont", AggPercentileCont, ivs, 1, tIv, f8s),
		within("percentile_disc", AggPercentileDisc, tElem, 1, tElem, tF8),
		within("percentile_disc", AggPercentileDisc, tArr, 1, tElem, f8s),
		within("mode", AggMode, tElem, 0, tElem),
	}
	for _, h := range []struct {
		name string
		kind AggKind
		ret  types.OID
	}{{"rank", AggHypoRank, tI8}, {"dense_rank", AggHypoDenseRank, tI8}, {"percent_rank", AggHypoPercentRank, tF8}, {"cume_dist", AggHypoCumeDist, tF8}} {
		out = append(out, &Agg{Name: h.name, Kind: h.kind, Args: []types.OID{tAny}, Ret: h.ret, Within: true, Hypothetical: true})
	}
	return out
}
