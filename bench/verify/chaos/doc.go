// Package chaos kills, stops, cuts off and starves the engine while it counts, and checks every
// window that it wrote against a recount that shares no code with it.
//
// In go the name of a scenario and a seed; out comes a Report: figures, and a line for each value
// that is wrong. A scenario writes a log that is a pure function of its seed (sites, visitors, late
// and out-of-order events, bots, records that nobody can read) to a broker of this process, or to
// brokers of Apache Kafka that it starts and ends (Options.Brokers), lets workers count it, and
// does to them what its text says. A worker is a process of its own, so that kill -9 and SIGSTOP
// are real: the caller says how one is started (Options.Worker) and hands its arguments to Work.
//
// The recount (package oracle, one for each partition) knows the events as they were made, not as
// they were written, and the rules of counting, not the code that follows them. What it is compared
// with are the records of millrace.windows, of which the newest version of each window is kept, as
// a sink does.
//
// With Options.Audit an emitter and an archiver run beside the engine through the whole scenario, as
// in serve, and are harmed with it. At the end of a log its hours are closed, and the self-audit of
// serve, a process of its own, compares the two stores: nothing may be wrong. Then one number is
// falsified, and it must be found. Such logs have no events that come too late but where a scenario
// is about them: there the sites that have some are left out.
//
// Two runs of one seed see the same log and the same decisions (when to kill, what to wipe); what a
// process was doing when it was hit differs from run to run. Named points (Points) hit it at the
// same place each time: they lie in wrappers around what the engine is given (journal, connections,
// file system), so nothing of them is in the engine.
//
// A new scenario is an entry of Scenarios (scenario.go), a function in a file of its own, a short
// form in chaos_test.go (patient if it mostly waits, and then named in the step kills of .ci/run
// too), and a row of docs/reliability.md, which Row names.
//
// Times are event times of the log unless a name says wall. Sizes are bytes.
//
// It is called by cmd and by its own tests. Nothing here is for production: workers end themselves
// on request, and what stands between them and real brokers is there to cut them off.
//
// It does not measure speed (package bench does), and it does not prove the rules of the journal:
// package sim has a schedule for each of them. Here is the whole of the machinery that the
// simulator leaves out: goka, Sarama, sessions, sockets, processes.
package chaos
