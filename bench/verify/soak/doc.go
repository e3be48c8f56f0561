// Package soak runs one server for hours under a steady load, on a wall clock that goes faster than
// the machine's, and reports whether its memory, files and goroutines stay flat.
//
// In go the sources of Millrace, a rate and a length; out come samples in a folder, taken while it
// runs, and a Report:
//
//	report, err := soak.Run(ctx, soak.Options{Module: ".", Dir: "/var/tmp/soak", For: 2 * time.Hour, Speed: 12})
//	report, err = soak.Read("/var/tmp/soak") // of a run that still goes on, too
//	fmt.Print(report)
//
// # The clock
//
// The server is built as a release is, without cgo, and with a Go runtime whose time.Now goes Speed times as fast (Build), so that two
// hours have a day of log time: a midnight, a salt that is destroyed, 24 hours of windows. The monotonic
// clock, and with it timers, timeouts and time.Since, stay the machine's. Two places that compare the
// wall clock with another are sped up alike: the collector's check of its clock, and the times of the
// embedded broker's files. Ticks come each second of the machine's clock, so that the running minute
// is updated each Speed seconds of the log, not each 5. A minute of the log has a
// Speed-th of a minute's events.
//
// # The load
//
// Events of bench.Workload over Options.Sites sites in small requests to /v1/events, by connections that are
// kept, and a query each second. What sends them is this process, at nice 5. An event's id is its number. A request that is not answered with
// 2xx is sent again, with the same ids, until it is.
//
// # What is compared at the end
//
// Each id is once in the archive, and no other; the archive proves itself whole (lake.Reader.Check);
// and of each site and hour the query API gives as many events and page views as the archive has.
//
// # What is measured
//
// Every Options.Every the whole of /metrics, /proc/PID of the server and the sizes of its folders. A
// slope is that of the least squares line through means of five minutes each after Options.WarmUp, in
// percent of their mean and an hour of the machine's clock; its standard error takes the means for
// independent. Nothing is at its length before what lives longest in the log has come and gone: a visit
// of 12 h with its timeout and lateness, 70 min at twelve times the speed. Until then windows of visits
// that go on become more. A report can be printed with another WarmUp than the run's.
//
// Linux on amd64 alone: the overlay of the runtime is of its assembly.
package soak
