package dialect

import "strings"

type wordInfo struct {
	text    string
	class   Class
	noLabel bool
}

// The word lists are those of pg_get_keywords() of PostgreSQL 15; every word
// not listed is an ordinary name outside the one place where it is meant.
const (
	reservedWords = `all analyse analyze and any array as asc asymmetric both case cast check collate column
constraint create current_catalog current_date current_role current_time current_timestamp current_user default
deferrable desc distinct do else end except false fetch for foreign from grant group having in initially intersect
into lateral leading limit localtime localtimestamp not null offset on only or order placing primary references
returning select session_user some symmetric table then to trailing true union unique user using variadic when
where window with`
	typeFuncWords = `authorization binary collation concurrently cross current_schema freeze full ilike inner is
isnull join left like natural notnull outer overlaps right similar tablesample verbose`
	colNameWords = `between bigint bit boolean char character coalesce dec decimal exists extract float greatest
grouping inout int integer interval least national nchar none normalize nullif numeric out overlay position
precision real row setof smallint substring time timestamp treat trim values varchar xmlattributes xmlconcat
xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`
	noLabelWords = `array as char character create day except fetch filter for from grant group having hour
intersect into isnull limit minute month notnull offset on order over overlaps precision returning second to union
varying where window with within without year`
)

// words is filled once and never written again.
var words = makeWords()

func makeWords() map[string]wordInfo {
	m := make(map[string]wordInfo, 256)
	for class, list := range map[Class]string{Reserved: reservedWords, TypeFunc: typeFuncWords, ColName: colNameWords} {
		for _, w := range strings.Fields(list) {
			m[w] = wordInfo{text: w, class: class}
		}
	}
	for _, w := range strings.Fields(noLabelWords) {
		info := m[w]
		info.text, info.noLabel = w, true
		m[w] = info
	}
	return m
}
