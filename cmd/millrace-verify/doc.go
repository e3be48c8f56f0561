// Command millrace-verify proves the counting of Millrace: what a developer runs, and no user
// needs.
//
// In go a command line and MILLRACE_* variables, in the style of command millrace; out come what
// was compared, each value that is wrong, and an exit code: 0 if all is right, 1 if a value is
// wrong or the proof could not be played to its end, 2 for a mistake in the flags.
//
//	go run ./cmd/millrace-verify chaos --list
//	go run ./cmd/millrace-verify chaos --scenario kills --events 200000 --times 10
//	go run ./cmd/millrace-verify attack --events 200000 --for 3m
//	go run ./cmd/millrace-verify rolling --back
//	go run ./cmd/millrace-verify queries --events 20000 --queries 60 --python venv/bin/python
//	go run ./cmd/millrace-verify sim --seeds 1000 --first 0
//	go run ./cmd/millrace-verify soak --dir /var/tmp/soak
//
// Invariants:
//   - What is compared is in bench/verify; here are flags and printing only.
//   - A seed is printed before its run begins, so that a run that hangs can be played again.
//   - The hidden command worker is the process that a scenario kills. It ends with its parent.
//
// It is a program of its own so that nothing of it is linked into what users run: neither the
// harnesses, nor the servers that they start. A test in the root of the module holds that.
package main
