package diff

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// picturesPerKind is how many random templates each function gets.
const picturesPerKind = 3000

var (
	stampPatterns = []string{"YYYY", "YYY", "YY", "Y", "Y,YYY", "IYYY", "IYY", "IY", "I", "MM", "MON", "Mon", "mon", "MONTH", "Month", "month", "DD", "DDD", "D", "DY", "Dy", "day", "Day", "ID", "IDDD",
		"IW", "WW", "W", "CC", "J", "Q", "RM", "rm", "HH", "HH12", "HH24", "MI", "SS", "MS", "US", "FF1", "FF3", "FF6", "SSSS", "SSSSS", "AM", "p.m.", "AD", "b.c.", "TZ", "TZH", "TZM", "OF", "FX", "tz", "x", `"lit"`, `\"`}
	numberPatterns = []string{"9", "9", "9", "99", "0", "00", ".", "D", ",", "G", "FM", "S", "MI", "PL", "SG", "PR", "RN", "V", "EEEE", "TH", "th", "L", "B", "x", `"a"`, " ", "-"}
	between        = []string{"", "", "-", " ", "/", ":", "  ", "TH", "th"}
	stampTexts     = []string{"2024-02-29", "2024-060", "24-1-7", "2024-W09-4", "12:34:56.789", "11:05 PM", "Mar 5 2021", "5 march 1999", "20240229123456", "2,024-12", "44 BC", "xii", "Tue 12", "1 2 3 4",
		"2024 -03 12", "2459000", "99999", "12 12 12", "02 31", "0", "-5-6", "2005-2-30", "+03:30", "2024-366", "friday 7", "13 13"}
	numberTexts  = []string{"12,345.67", "-12.5", "+7", "<8>", "1 234", "12-", "$5.00", "", "abc", "1.2.3", "00012", "5th", "- 3", "1,2,3.", "  42 ", ".5", "9999999", "5.01-"}
	numberValues = []string{"0", "1", "-1", "12", "-12", "123456", "0.5::numeric", "-0.5::numeric", "12.345::numeric", "-9.999::numeric", "1e12::numeric", "'NaN'::numeric", "'Infinity'::numeric", "0.00001234::numeric",
		"485::int8", "-1234567::int8", "1.5::float8", "-2.75::float8", "1e20::float8", "'NaN'::float8", "0.1::float4", "-3.75::float4", "1999", "4000"}
)

// pictureStatements are to_char, to_date, to_timestamp and to_number with random
// templates: most are nonsense that still has an answer.
func pictureStatements(seed uint64) []statement {
	r := rand.New(rand.NewPCG(seed, 5))
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	template := func(patterns []string, most int) string {
		var sb strings.Builder
		for range 1 + r.IntN(most) {
			if r.IntN(8) == 0 {
				sb.WriteString("FM")
			}
			sb.WriteString(pick(patterns) + pick(between))
		}
		return "E'" + strings.ReplaceAll(strings.ReplaceAll(sb.String(), `\`, `\\`), "'", "''") + "'"
	}
	var out []statement
	add := func(name, format string, args ...any) {
		out = append(out, statement{name, fmt.Sprintf(format, args...)})
	}
	var times []string
	for _, t := range []string{"date", "timestamp without time zone", "timestamp with time zone", "interval"} {
		times = append(times, samples[t]...)
	}
	for range picturesPerKind {
		add("to_char", "SELECT to_char(%s, %s)", pick(times), template(stampPatterns, 5))
		add("to_char", "SELECT to_char(%s, %s)", pick(numberValues), template(numberPatterns, 8))
		text := pick(stampTexts)
		if r.IntN(2) == 0 {
			text += pick(between[:7]) + pick(stampTexts)
		}
		add("to_timestamp", "SELECT %s('%s', %s)", pick([]string{"to_timestamp", "to_date"}), text, template(stampPatterns, 4))
		add("to_number", "SELECT to_number('%s', %s)", pick(numberTexts), template(numberPatterns, 8))
	}
	return out
}
