// Package testparallel is for packages whose tests mostly wait: for a minute's numbers, a time-out,
// a rebalance, a process. It lets more of those that are marked as parallel run at a time than
// there are processors. It changes nothing else of a run.
package testparallel
