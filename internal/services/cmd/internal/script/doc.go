// Package script is what the programs behind deploy/dev-*.sh have in common.
//
// A command and its arguments go in, an exit code and lines for a shell come out: 0, 1 if the command failed, 2 if there is no such
// command. What was being started when a signal comes is stopped again. It is called by those programs alone, and knows no command
// itself.
package script
