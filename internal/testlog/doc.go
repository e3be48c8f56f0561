// Package testlog is for tests that read what a goroutine or a process is still writing: its log,
// its output.
package testlog
