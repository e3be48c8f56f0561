package query

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// ranking is the total order of groups: that of the query, then the dimensions.
type ranking struct {
	q    *Query
	a    *aggregation
	base func(dim func(k int) string) bases
	// keys order groups by the first entry of the order, where it is a metric or a dimension with few values; else nil.
	keys []float64
}

// fewValues is how many values a dimension may have that are sorted before rows are.
const fewValues = 4096

func newRanking(q *Query, a *aggregation, base func(dim func(k int) string) bases) *ranking {
	r := &ranking{q: q, a: a, base: base}
	first := q.order[0]
	if first.ByMetric {
		r.keys = make([]float64, a.size())
		for i := range r.keys {
			r.keys[i] = r.metric(i, first)
		}
	} else if a.hits != nil && len(a.hits.groups.columns[first.Index].values) <= fewValues {
		r.keys = r.columnKeys(first)
	}
	return r
}

// metric returns the value of a metric for an order, in which less comes first; nothing is less than all.
func (r *ranking) metric(i int, o Order) float64 {
	m := r.q.metrics[o.Index]
	counts, visitors := r.a.at(i)
	var b bases
	switch m {
	case percentage, conversionRate, groupConversionRate, exitRate:
		b = r.base(func(k int) string { return r.a.dim(i, k) })
	}
	n, ok := m.number(counts, visitors, &b)
	if !ok {
		n = math.Inf(-1)
	}
	if o.Desc {
		return -n
	}
	return n
}

// columnKeys returns the places of the values of a dimension in order.
func (r *ranking) columnKeys(o Order) []float64 {
	h := r.a.hits
	values := h.groups.columns[o.Index].values
	sorted := make([]uint32, len(values))
	for code := range sorted {
		sorted[code] = uint32(code)
	}
	slices.SortFunc(sorted, func(x, y uint32) int { return strings.Compare(values[x], values[y]) })
	place := make([]float64, len(values))
	for n, code := range sorted {
		place[code] = float64(n)
		if o.Desc {
			place[code] = -float64(n)
		}
	}
	keys := make([]float64, len(h.list))
	for i, g := range h.list {
		keys[i] = place[h.groups.code(g, o.Index)]
	}
	return keys
}

func (r *ranking) compare(x, y int32) int {
	order := r.q.order
	if r.keys != nil {
		if c := cmp.Compare(r.keys[x], r.keys[y]); c != 0 {
			return c
		}
		order = order[1:]
	}
	for _, o := range order {
		var c int
		if o.ByMetric {
			c = cmp.Compare(r.metric(int(x), o), r.metric(int(y), o))
		} else if c = r.dim(x, y, o.Index); o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	for k := range r.q.dims {
		if c := r.dim(x, y, k); c != 0 {
			return c
		}
	}
	return 0
}

func (r *ranking) dim(x, y int32, k int) int {
	return strings.Compare(r.a.dim(int(x), k), r.a.dim(int(y), k))
}

// first returns the first n groups, in order.
func (r *ranking) first(n int) []int32 {
	all := make([]int32, r.a.size())
	for i := range all {
		all[i] = int32(i)
	}
	if n < len(all)/2 {
		all = r.least(all, n)
	}
	slices.SortFunc(all, r.compare)
	return all[:n]
}

// least returns the n least of a list, in the order of a heap whose root is the greatest of them.
func (r *ranking) least(list []int32, n int) []int32 {
	heap := list[:n]
	if n == 0 {
		return heap
	}
	for i := n/2 - 1; i >= 0; i-- {
		r.sink(heap, i)
	}
	for _, g := range list[n:] {
		if r.compare(g, heap[0]) < 0 {
			heap[0] = g
			r.sink(heap, 0)
		}
	}
	return heap
}

// sink moves an entry of a heap to where it belongs.
func (r *ranking) sink(heap []int32, i int) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && r.compare(heap[child], heap[child+1]) < 0 {
			child++
		}
		if r.compare(heap[i], heap[child]) >= 0 {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}
