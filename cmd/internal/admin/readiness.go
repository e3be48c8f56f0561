package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Readiness answers /readyz: 200 once every condition holds, else 503. The body has a line for
// each condition:
//
//	yes process
//	no  emit
//
// With ?verbose a line also has the reason ("no  emit: InfluxDB: 401 Unauthorized"), or what a role
// that is ready has to note ("yes collect: drains its spool of 12 events"). With
// ?role=collect,query only these roles count, beside what concerns the whole process: a balancer
// that sends beacons needs to know of the collector alone, which goes on while InfluxDB or a
// bucket is away.
type Readiness struct {
	roles []string // names of conditions that count for that role alone

	mu         sync.Mutex // guards what follows
	conditions []condition
	remarks    []remark
	draining   bool
	started    bool
}

// condition is one line of the answer.
type condition struct {
	name string
	why  func() error  // why it does not hold, nil if it does
	of   []string      // the roles that it counts for; none: the whole process
	note func() string // more of it while it holds; nil: nothing
}

// remark is a line of ?verbose that is no condition.
type remark struct {
	name string
	text func() string
}

// NewReadiness returns the readiness of a process without conditions. Roles are the names that
// ?role= may have.
func NewReadiness(roles []string) *Readiness { return &Readiness{roles: roles} }

// AddWhy appends a condition; why is called at each request, must not block, and returns the
// reason why the condition does not hold, or nil. A reason holds no secrets. A name that is a
// role's counts for that role alone.
func (r *Readiness) AddWhy(name string, why func() error) {
	if slices.Contains(r.roles, name) {
		r.AddFor([]string{name}, name, why)
		return
	}
	r.AddFor(nil, name, why)
}

// AddFor appends a condition that counts for some roles.
func (r *Readiness) AddFor(roles []string, name string, why func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conditions = append(r.conditions, condition{name: name, why: why, of: roles})
}

// Note adds what an operator should know of a condition that holds, for ?verbose: a role that is
// degraded and serves. A note is called as why is; "" is nothing.
func (r *Readiness) Note(name string, note func() string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.conditions {
		if r.conditions[i].name == name {
			r.conditions[i].note = note
		}
	}
}

// Remark adds a line to ?verbose about something that makes nothing ready or not. Text is called as
// why is.
func (r *Readiness) Remark(name string, text func() string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remarks = append(r.remarks, remark{name, text})
}

// remarkLines returns the lines of all remarks.
func (r *Readiness) remarkLines() (lines string) {
	r.mu.Lock()
	remarks := slices.Clone(r.remarks)
	r.mu.Unlock()
	for _, m := range remarks {
		lines += "    " + m.name + ": " + strings.Join(strings.Fields(m.text()), " ") + "\n"
	}
	return lines
}

// Start declares the list complete; before that the answer is no.
func (r *Readiness) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = true
}

// Drain makes the answer no for good.
func (r *Readiness) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

// list returns the conditions that count for roles, all of them if there are none.
func (r *Readiness) list(roles []string) []condition {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.Clone(r.conditions)
	if len(roles) > 0 {
		list = slices.DeleteFunc(list, func(c condition) bool {
			return len(c.of) > 0 && !slices.ContainsFunc(c.of, func(role string) bool { return slices.Contains(roles, role) })
		})
	}
	plain := func(name string, ok bool, reason string) {
		list = append(list, condition{name: name, why: func() error {
			if ok {
				return nil
			}
			return errors.New(reason)
		}})
	}
	plain("started", r.started, "not everything is up yet")
	plain("serving", !r.draining, "the process is about to end")
	return list
}

// rolesOf reads ?role=, which may be given several times and may hold several with commas. An
// unknown role is an error: a misspelt one would be ready for ever.
func (r *Readiness) rolesOf(values []string) ([]string, error) {
	var roles []string
	for _, v := range values {
		for role := range strings.SplitSeq(v, ",") {
			if !slices.Contains(r.roles, role) {
				return nil, fmt.Errorf("there is no role %q, only %s", role, strings.Join(r.roles, ", "))
			}
			roles = append(roles, role)
		}
	}
	return roles, nil
}

// more returns what ?verbose adds to a line.
func (c *condition) more(why error) string {
	text := ""
	if why != nil {
		text = why.Error()
	} else if c.note != nil {
		text = c.note()
	}
	if text == "" {
		return ""
	}
	return ": " + strings.Join(strings.Fields(text), " ")
}

// ServeHTTP answers /readyz.
func (r *Readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	query := req.URL.Query()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	roles, err := r.rolesOf(query["role"])
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintln(w, err)
		return
	}
	code, body := http.StatusOK, ""
	for _, c := range r.list(roles) {
		why := c.why()
		line := "yes " + c.name
		if why != nil {
			line, code = "no  "+c.name, http.StatusServiceUnavailable
		}
		if query.Has("verbose") {
			line += c.more(why)
		}
		body += line + "\n"
	}
	if query.Has("verbose") {
		body += r.remarkLines()
	}
	w.WriteHeader(code)
	fmt.Fprint(w, body)
}
