package picture

import (
	"math"
	"testing"

	"quern/storage/types"
)

// FuzzTemplates: any template with any text gives an answer or an error. What the
// answers are is tested in testdata/slt/functions/templates.slt.
func FuzzTemplates(f *testing.F) {
	for _, s := range []string{"9G999D99S", "FM0.9PR", "RNth", "9V9", "SG9", "Y,YYY-IDDD", "FXTZH:TZM", "HH12 AM", `"a\"b`, "TMMonthTH", "\xff9"} {
		f.Add(s, "12-3.5 a", 12.5)
	}
	f.Fuzz(func(t *testing.T, template, text string, x float64) {
		st := ParseStamp(template)
		_, _ = st.Read(text)
		if len(template) > 100 {
			return
		}
		_, _, _ = st.AppendStamp(nil, int64(math.Mod(x, 1e6)*1e9), nil)
		_, _, _ = st.AppendInterval(nil, types.IntervalVal{Months: int32(math.Mod(x, 1e6)), Days: int32(math.Mod(x, 100)), Micros: int64(math.Mod(x, 1e6)) * 1e6}, nil)
		n, err := ParseNumber(template)
		if err != nil {
			return
		}
		_, _, _ = n.Read(text)
		_, _ = n.AppendFloat8(nil, x)
		_, _ = n.AppendInt4(nil, int32(math.Mod(x, 1e6)))
		if v, err := types.NumFromFloat(x, 64); err == nil {
			_, _ = n.AppendNumeric(nil, v)
		}
	})
}
