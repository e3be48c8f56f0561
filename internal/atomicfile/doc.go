// Package atomicfile writes files so that a crash leaves the old one or the new one, whole.
//
// In goes the content; out comes a file that is on the disk when the call has returned: the content
// is written under another name, synced and closed, renamed to its own name, and then the folder is
// synced, without which a power loss could undo the rename.
//
//	err := atomicfile.Write(filepath.Join(dir, "meta.json"), text, 0o600)
//
// A caller whose temporary files have to be elsewhere makes them itself, and calls Fill and Move
// (package blob: readers of its folder take every file there for a whole one).
//
// Invariants:
//   - A reader, at any time and after any crash, sees the old content or the new, or no file where
//     there was none.
//   - Once Write, Move or MkdirAll has returned nil, a power loss takes nothing of it back.
//
// One caller at a time may write a path: the temporary name is PATH.tmp, so that a crash leaves at
// most that one, which the next Write replaces. The package takes no locks; package lockfile does.
package atomicfile
