package progress

import "io"

// Phases shows a job that has several parts, each as a line of its own. The zero value with W set
// is ready; Finish has to be called.
type Phases struct {
	W      io.Writer
	Prefix string // before the names of the parts

	bar  *Bar
	name string
}

// Set reports that done of total is done of the part with this name, which ends the one before.
func (p *Phases) Set(name string, done, total int) {
	if p.bar == nil || name != p.name {
		p.Finish()
		p.bar, p.name = Start(p.W, p.Prefix+name), name
	}
	p.bar.Set(int64(done), int64(total), int64(done))
}

// Finish ends and wipes the line. It may be called more than once.
func (p *Phases) Finish() {
	if p.bar != nil {
		p.bar.Finish()
		p.bar = nil
	}
}
