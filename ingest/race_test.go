//go:build race

package ingest

// raced says that the race detector is on: pools then forget at random.
const raced = true
