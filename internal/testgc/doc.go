// Package testgc is for packages whose tests allocate much and keep little: they open a store, count a
// few hundred events and throw all of it away, again and again. By default the garbage collector
// runs whenever such a heap, of a few megabytes, has doubled, which takes up to a third of the
// processor time. A few hundred megabytes in the place of a few save it.
//
// It changes how often the collector runs, in the process of the tests and in those that they start,
// and nothing else of a run. With -short, as under the race detector, whose heaps are many times
// larger, and with -bench it changes nothing.
package testgc
