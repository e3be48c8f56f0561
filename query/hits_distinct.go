package query

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"

	"millrace/engine/sketch"
)

// seenPart is what a worker has seen. Its groups have the numbers of a list, nil for their own.
type seenPart struct {
	*seenVisitors
	number []uint32
}

func (p *seenPart) group(own uint32) uint32 {
	if p.number == nil {
		return own
	}
	return p.number[own]
}

// distinct returns the number of visitors of each of n groups, and whether some of them are estimates. The parts are used up.
func distinct(parts []seenPart, n int) (list []uint64, estimated bool) {
	var some []seenPart
	total := 0
	for _, p := range parts {
		if p.n == 0 {
			continue
		}
		some, total = append(some, p), total+p.n
		if p.table == nil {
			return estimates(parts, n)
		}
	}
	list = make([]uint64, n)
	switch len(some) {
	case 0:
		return list, false
	case 1:
		for _, e := range some[0].table {
			if e.visitor != 0 {
				list[some[0].group(e.group)]++
			}
		}
		return list, false
	}
	buckets := scatter(some, total)
	lists := make([][]uint64, runtime.GOMAXPROCS(0))
	parallel(len(buckets[0]), len(lists), func(by int, next func() (int, bool)) {
		var table []seenVisitor
		for k, ok := next(); ok; k, ok = next() {
			if lists[by] == nil {
				lists[by] = make([]uint64, n)
			}
			table = countBucket(buckets, k, table, lists[by])
		}
	})
	for _, counts := range lists {
		for g, c := range counts {
			list[g] += c
		}
	}
	return list, false
}

// parallel calls fn by up to so many goroutines; next gives each of n numbers once.
func parallel(n, goroutines int, fn func(by int, next func() (int, bool))) {
	var at atomic.Int64
	next := func() (int, bool) {
		k := int(at.Add(1)) - 1
		return k, k < n
	}
	var wg sync.WaitGroup
	for by := range min(goroutines, n) {
		wg.Go(func() { fn(by, next) })
	}
	wg.Wait()
}

// bucketSize is about how many entries are counted at once: their table fits into a processor's cache.
const bucketSize = 16 << 10

// scatter returns the entries of each part by bucket: all of a visitor are in the same one.
func scatter(parts []seenPart, total int) [][][]seenVisitor {
	width := min(bits.Len(uint(total/bucketSize)), 10)
	bucketOf := func(e *seenVisitor) int { return int(uint64(e.visitor) * 0x9e3779b97f4a7c15 >> 1 >> (63 - width)) }
	all := make([][][]seenVisitor, len(parts))
	parallel(len(parts), runtime.GOMAXPROCS(0), func(_ int, next func() (int, bool)) {
		for k, ok := next(); ok; k, ok = next() {
			p := &parts[k]
			ends := make([]int, 1<<width)
			for i := range p.table {
				if e := &p.table[i]; e.visitor != 0 {
					ends[bucketOf(e)]++
				}
			}
			sum := 0
			for b, n := range ends {
				ends[b], sum = sum, sum+n
			}
			list := make([]seenVisitor, sum)
			for i := range p.table {
				if e := &p.table[i]; e.visitor != 0 {
					b := bucketOf(e)
					list[ends[b]] = seenVisitor{e.visitor, p.group(e.group)}
					ends[b]++
				}
			}
			all[k] = make([][]seenVisitor, len(ends))
			from := 0
			for b, end := range ends {
				all[k][b], from = list[from:end], end
			}
			p.table = nil
		}
	})
	return all
}

// countBucket adds the visitors of a bucket to the counts of their groups, with a table that it may use and returns.
func countBucket(buckets [][][]seenVisitor, k int, table []seenVisitor, counts []uint64) []seenVisitor {
	n := 0
	for _, of := range buckets {
		n += len(of[k])
	}
	width := max(bits.Len(uint(n+n/2)), 4)
	if len(table) < 1<<width {
		table = make([]seenVisitor, 1<<width)
	}
	used := table[:1<<width]
	clear(used)
	for _, of := range buckets {
		for _, e := range of[k] {
			if insert(used, 64-uint(width), e) {
				counts[e.group]++
			}
		}
	}
	return table
}

// estimates is distinct where some parts are sketches. Each goroutine has groups of its own.
func estimates(parts []seenPart, n int) (list []uint64, estimated bool) {
	list = make([]uint64, n)
	shares := runtime.GOMAXPROCS(0)
	var dense atomic.Bool
	parallel(shares, shares, func(_ int, next func() (int, bool)) {
		for share, ok := next(); ok; share, ok = next() {
			of := make([]*sketch.Sketch, n/shares+1)
			for i := range parts {
				parts[i].unite(share, shares, of)
			}
			for i, s := range of {
				if s != nil {
					list[i*shares+share] = s.Estimate()
					if s.Dense() {
						dense.Store(true)
					}
				}
			}
		}
	})
	return list, dense.Load()
}

// unite adds a part's visitors of the groups of a share to their sketches: group g is of share g%shares.
func (p *seenPart) unite(share, shares int, of []*sketch.Sketch) {
	for _, e := range p.table {
		if e.visitor == 0 {
			continue
		}
		if g := int(p.group(e.group)); g%shares == share {
			sketchOf(&of, uint32(g/shares)).Add(uint64(e.visitor))
		}
	}
	for own, s := range p.sketches {
		if s == nil {
			continue
		}
		if g := int(p.group(uint32(own))); g%shares == share {
			if of[g/shares] == nil {
				of[g/shares] = s
			} else {
				of[g/shares].Merge(s)
			}
		}
	}
}
