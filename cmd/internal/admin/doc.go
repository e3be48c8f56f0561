// Package admin is the port for operators: /livez, /readyz, /metrics and /debug/pprof.
//
// In go conditions and metrics of the parts of the process; out come answers for balancers,
// scrapers and people:
//
//	port, err := admin.Open(admin.Options{Addr: "127.0.0.1:8081", Roles: names, Fail: fail, Log: log})
//	port.Ready.AddWhy("emit", gate.Why) // why the condition does not hold, nil if it does
//	port.Registry.MustRegister(collector)
//	port.Handle("GET /arrivals", collector.Arrivals())
//	port.Ready.Start() // everything is up: /readyz may be 200 from here on
//	port.Ready.Drain() // about to end: 503 from here on
//	port.Close()
//
// Invariants:
//   - Before Ready.Start and after Ready.Drain readiness is false, whatever the conditions report.
//   - On a loopback address only requests of this machine are answered, see [local.HTTP];
//     balancers' probes of /livez and /readyz by HTTP/1.0 are answered too.
//   - No answer holds the program's arguments, which may have keys and passwords.
//
// cmd/internal/server opens the port before anything else and closes it last, so that an operator
// can watch the start and the stop. Methods of Readiness may be called from any goroutine. The
// package does not decide what ready means: the callers of AddWhy do.
package admin
