package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Prober is a Store whose server's promises can be tried.
type Prober interface {
	// Probe tries what an archive needs of the server, with a few objects of its own, which it
	// removes. The error says what the server does wrong, or which right is missing.
	Probe(ctx context.Context, o ProbeObjects) (ProbeReport, error)
}

// ProbeObjects are what a probe may put.
type ProbeObjects struct {
	// Prefix and Suffix are those of keys that nothing else has. What is between them is random, so
	// that probes of several processes do not meet.
	Prefix, Suffix string
	// Body returns an object of this text that readers of the archive pass over.
	Body func(text string) ([]byte, error)
}

// ProbeReport is what a probe has found that does not keep an archive from working.
type ProbeReport struct {
	// Notes are what the server does otherwise than S3, a sentence each.
	Notes []string
	// Left are the objects that the probe could not remove, and WhyLeft is why.
	Left    []string
	WhyLeft error
}

// ErrDamages is wrapped by the error for a server that gives back something else than was put.
var ErrDamages = errors.New("this server does not keep objects as they are put: use another one")

const (
	// probeText is the length of a probe's large object: more than one of the frames that a client
	// sends a body in (64 KiB), which some servers leave in the object.
	probeText = 70_000
	// leftFor is how old an object of another probe is before it is taken for left behind. A probe
	// ends within seconds, and the gate of the role ends it.
	leftFor = time.Hour
	// tidyTime is for removing the objects, also of a probe that was ended.
	tidyTime = 5 * time.Second
)

// probe is a probe under way.
type probe struct {
	s      *S3
	o      ProbeObjects
	report ProbeReport
	keys   []string // to be removed
}

var _ Prober = (*S3)(nil)

// Probe implements Prober with some fifteen requests. It needs the rights to put, get and list;
// without that to delete the objects are left, and used again by the probes that come an hour later
// or more, so that they do not become many.
func (s *S3) Probe(ctx context.Context, o ProbeObjects) (ProbeReport, error) {
	report, err := s.probe(ctx, o)
	return *report, err
}

func (s *S3) probe(ctx context.Context, o ProbeObjects) (*ProbeReport, error) {
	p := &probe{s: s, o: o}
	defer func() { p.tidy(context.WithoutCancel(ctx)) }()
	base, err := p.leftBehind(ctx)
	if err != nil {
		return &p.report, err
	}
	if base != "" {
		if err = p.run(ctx, base); !errors.Is(err, ErrDamages) && !errors.Is(err, ErrListing) {
			return &p.report, err
		}
		// Another process has perhaps taken up the same objects at the same time.
	}
	err = p.run(ctx, p.o.Prefix+strings.ToLower(rand.Text()))
	return &p.report, err
}

// run probes with two objects whose keys begin with base.
func (p *probe) run(ctx context.Context, base string) error {
	first, second := base+"-a"+p.o.Suffix, base+"-b"+p.o.Suffix
	large, err := p.o.Body(rand.Text() + strings.Repeat(" probe", probeText/6))
	if err != nil {
		return err
	}
	small, err := p.o.Body(rand.Text())
	if err != nil {
		return err
	}
	// What a server does to an object shows here; the rest of the probe rests on it.
	if err := p.putAndRead(ctx, first, large); err != nil {
		return err
	}
	obj, err := p.s.Open(ctx, first)
	if err != nil {
		return err
	}
	defer obj.Close()
	if err := p.ranges(obj, first, large); err != nil {
		return err
	}
	if err := p.put(ctx, second, small); err != nil {
		return err
	}
	if err := p.lists(ctx, base+"-", first, second); err != nil {
		return err
	}
	if err := p.putAndRead(ctx, first, small); err != nil {
		return err
	}
	return p.stale(obj, first)
}

func (p *probe) put(ctx context.Context, key string, body []byte) error {
	if !slices.Contains(p.keys, key) {
		p.keys = append(p.keys, key)
	}
	return p.s.Put(ctx, key, body)
}

// putAndRead puts an object, over another one perhaps, and reads it whole.
func (p *probe) putAndRead(ctx context.Context, key string, body []byte) error {
	if err := p.put(ctx, key, body); err != nil {
		return err
	}
	got, err := p.s.Get(ctx, key)
	if err != nil {
		return err
	}
	return p.same(key, "whole", got, body)
}

// same compares what was read with what was put.
func (p *probe) same(key, how string, got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	err := fmt.Errorf("%w; %d bytes were put, and %s come back when it is read %s", ErrDamages, len(want), countOf(got, want), how)
	if bytes.Contains(got[:min(len(got), 512)], []byte("chunk-signature=")) {
		err = fmt.Errorf("%w; it leaves the frames of the upload in it: over https (tls=true) there are none", err)
	}
	return p.s.wrap("probe", key, err)
}

// countOf tells bytes from as many that are right.
func countOf(got, want []byte) string {
	if len(got) == len(want) {
		return "others"
	}
	return fmt.Sprint(len(got))
}

// ranges reads parts of an object that is open, whose length came from a HEAD.
func (p *probe) ranges(obj Object, key string, body []byte) error {
	if size := obj.Size(); size != int64(len(body)) {
		return p.s.wrap("probe", key, fmt.Errorf("%w; %d bytes were put, and it gives the length as %d", ErrDamages, len(body), size))
	}
	for _, from := range []int{len(body) / 3, len(body) - 8} { // the middle, and the end, where readers begin
		got := make([]byte, min(1000, len(body)-from))
		if _, err := obj.ReadAt(got, int64(from)); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := p.same(key, "in part", got, body[from:from+len(got)]); err != nil {
			return err
		}
	}
	return nil
}

// lists lists the two objects, whose keys begin with prefix, in pages of one.
func (p *probe) lists(ctx context.Context, prefix, first, second string) error {
	tokens := !p.s.noToken.Load()
	var keys []string
	for info, err := range p.s.list(ctx, prefix, "", 1) {
		if err != nil {
			return err
		}
		keys = append(keys, info.Key)
	}
	if want := []string{first, second}; !slices.Equal(keys, want) {
		return p.s.wrap("list", p.o.Prefix, fmt.Errorf("%w; %q were put, and it lists %q", ErrListing, want, keys))
	}
	if tokens && p.s.noToken.Load() {
		p.report.Notes = append(p.report.Notes, "its continuation tokens do not lead to the next page of a list: lists go on by the last key instead")
	}
	return nil
}

// stale reads an object that was replaced since it was opened, which has to fail. That the server
// does not care is no harm: the archive's objects do not change.
func (p *probe) stale(obj Object, key string) error {
	_, err := obj.ReadAt(make([]byte, 8), 0)
	var resp minio.ErrorResponse
	switch {
	case err == nil:
		p.report.Notes = append(p.report.Notes, "it ignores If-Match: a reader would not notice that an object is replaced while it reads")
	case !errors.As(err, &resp):
		return err
	}
	return nil
}

// leftBehind returns what the keys begin with that an earlier probe could not remove, or "". It also
// tries the right to list.
func (p *probe) leftBehind(ctx context.Context) (string, error) {
	old := map[string]bool{}
	for info, err := range p.s.List(ctx, p.o.Prefix, "") {
		if err != nil {
			return "", err
		}
		old[info.Key] = true
	}
	tries := 0
	for key := range old { // in any order, so that two processes hardly take the same
		base, isFirst := strings.CutSuffix(key, "-a"+p.o.Suffix)
		if !isFirst || !old[base+"-b"+p.o.Suffix] {
			continue
		}
		if tries++; tries > 3 {
			break
		}
		info, err := p.s.client.StatObject(ctx, p.s.cfg.Bucket, p.s.name(key), minio.StatObjectOptions{})
		if err == nil && time.Since(info.LastModified) > leftFor {
			return base, nil
		}
	}
	return "", nil
}

// tidy removes the objects of the probe.
func (p *probe) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tidyTime)
	defer cancel()
	for _, key := range p.keys {
		if err := p.s.Delete(ctx, key); err != nil {
			p.report.Left, p.report.WhyLeft = append(p.report.Left, key), err
		}
	}
}
