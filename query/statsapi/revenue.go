package statsapi

import (
	"math"
	"strconv"
	"strings"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"

	"millrace/query"
)

// Revenue is an amount of money, as a number and as English texts.
type Revenue struct {
	Value float64 `json:"value"`
	// Currency is the site's; "" where it has none, and amounts of all currencies are added up.
	Currency string `json:"currency"`
	// Short is such as $96.3M, Long such as $96,336,315.00.
	Short string `json:"short"`
	Long  string `json:"long"`
}

// MetricWarning is what is to be known about a metric of an answer.
type MetricWarning struct {
	Code    string `json:"code"`
	Warning string `json:"warning"`
}

// Number returns a metric of an answer as encoding/json decodes it, of an amount of money its value: float64, or nil.
func Number(metric any) any {
	if money, ok := metric.(map[string]any); ok {
		return money["value"]
	}
	return metric
}

// isRevenue reports whether a metric is an amount of money.
func isRevenue(m query.Metric) bool { return m == "total_revenue" || m == "average_revenue" }

// shown returns the values of a row's metrics as the API has them.
func shown(metrics []query.Metric, values []any, code string) []any {
	out := values
	for i, m := range metrics {
		if v, ok := values[i].(float64); ok && isRevenue(m) {
			if &out[0] == &values[0] {
				out = append([]any(nil), values...)
			}
			out[i] = newRevenue(v, code)
		}
	}
	return out
}

// newRevenue writes an amount of a currency of ISO 4217, "" for none.
func newRevenue(v float64, code string) *Revenue {
	symbol, decimals := code, 2
	if unit, err := currency.ParseISO(code); err == nil {
		var text english
		currency.Symbol(unit).Format(&text, 'v')
		symbol = text.String()
		decimals, _ = currency.Standard.Rounding(unit)
	}
	if n := len(symbol); n > 0 && 'A' <= symbol[n-1] && symbol[n-1] <= 'Z' {
		symbol += " " // letters, which would run into the number
	}
	if v < 0 {
		symbol = "-" + symbol
	}
	return &Revenue{Value: v, Currency: code, Short: symbol + abbreviated(math.Abs(v)), Long: symbol + grouped(math.Abs(v), decimals)}
}

// english is the state that a symbol of package currency is formatted with. A printer of package message, which has the language
// too, would make the program a quarter of a megabyte larger.
type english struct{ strings.Builder }

func (*english) Language() language.Tag { return language.AmericanEnglish }
func (*english) Width() (int, bool)     { return 0, false }
func (*english) Precision() (int, bool) { return 0, false }
func (*english) Flag(int) bool          { return false }

// abbreviated writes a number with one decimal place, and thousands as K, millions as M and so on.
func abbreviated(v float64) string {
	units := []string{"", "K", "M", "B", "T"}
	i := 0
	for ; i < len(units)-1 && math.Round(v*10)/10 >= 1000; i++ {
		v /= 1000
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + units[i]
}

// grouped writes a number with a comma between thousands.
func grouped(v float64, decimals int) string {
	whole, rest, _ := strings.Cut(strconv.FormatFloat(v, 'f', decimals, 64), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest == "" {
		return whole
	}
	return whole + "." + rest
}

// metricWarnings returns what is to be known about metrics of revenue of a site without a currency.
func metricWarnings(metrics []query.Metric, code string) map[query.Metric]MetricWarning {
	out := map[query.Metric]MetricWarning{}
	for _, m := range metrics {
		if isRevenue(m) && code == "" {
			out[m] = MetricWarning{"no_single_revenue_currency", "The site has no currency configured: amounts of all currencies are added up as if they were of one."}
		}
	}
	return out
}
