package window

import "unsafe"

// A visitor who counts in a value for the first time has to get into its sketch, and that is most
// of what folding costs: the sketches of a window do not fit into the processor's caches, and each
// row goes to two dozen of them. So the table of a family keeps a list of those that wait, and puts
// them in together, sketch by sketch, when a sketch is to be read or when the list is full. A
// sketch depends on nothing but the set of its visitors: when they get in can't be seen.

// fresh is a visitor that waits: place<<32 | the mark, as sketch.Mark.Short has it.
type fresh uint64

func (f fresh) place() int   { return int(f >> 32) }
func (f fresh) mark() uint32 { return uint32(f) }

const (
	// maxFresh is how many visitors of a family wait at most: 32 KB. It is what a megabyte of
	// chunks brings about at least.
	maxFresh = 4096
	// fewFresh is up to how many of them are not worth being put in order.
	fewFresh = 16
)

// settle empties the lists of all families.
func (a *Agg) settle() {
	for f := range a.fams {
		if t := &a.fams[f]; len(t.fresh) > 0 {
			t.settle(&a.order)
		}
	}
}

// settle puts those who wait into their sketches.
func (t *table) settle(o *settleOrder) {
	list := t.fresh
	t.fresh = list[:0]
	if len(list) <= max(fewFresh, len(t.cells)/8) {
		for _, f := range list {
			t.cells[f.place()].visitors.AddShort([]uint32{f.mark()})
		}
		return
	}
	marks, ends := o.byPlace(list, len(t.cells))
	from := uint32(0)
	for place, end := range ends {
		if from < end {
			t.cells[place].visitors.AddShort(marks[from:end])
			from = end
		}
	}
}

// settleOrder is memory for putting lists in order.
type settleOrder struct {
	marks []uint32
	ends  []uint32
}

// byPlace returns the marks of a list by their place, and where those of each place end.
func (o *settleOrder) byPlace(list []fresh, places int) (marks, ends []uint32) {
	if cap(o.marks) < len(list) {
		o.marks = make([]uint32, maxFresh)
	}
	if cap(o.ends) < places {
		o.ends = make([]uint32, places+places/2)
	}
	marks, ends = o.marks[:len(list)], o.ends[:places]
	clear(ends)
	for _, f := range list {
		ends[f.place()]++
	}
	sum := uint32(0)
	for i, n := range ends {
		ends[i] = sum
		sum += n
	}
	for _, f := range list {
		end := &ends[f.place()]
		marks[*end] = f.mark()
		*end++
	}
	return marks, ends
}

func (o *settleOrder) bytes() int {
	return (cap(o.marks) + cap(o.ends)) * int(unsafe.Sizeof(uint32(0)))
}
