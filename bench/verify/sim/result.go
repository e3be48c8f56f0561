package sim

import "fmt"

// Add adds up what runs came to, but for their values.
func (r *Result) Add(o *Result) {
	r.Windows += o.Windows
	r.Crashes += o.Crashes
	r.Wipes += o.Wipes
	r.Takeovers += o.Takeovers
	r.Failed += o.Failed
	r.Repeated += o.Repeated
	r.Expired += o.Expired
	r.DiskErrors.add(&o.DiskErrors)
}

// String says what was checked, and what was done to it.
func (r *Result) String() string {
	text := fmt.Sprintf("%d windows after %d crashes, %d wiped disks, %d zombies, %d failed and %d repeated produces, %d expired deltas",
		r.Windows, r.Crashes, r.Wipes, r.Takeovers, r.Failed, r.Repeated, r.Expired)
	if r.DiskErrors != (DiskErrors{}) {
		text += ", " + r.DiskErrors.String()
	}
	return text
}
