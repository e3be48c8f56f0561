package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"millrace/internal/secretfile"
)

// Options name the files of a Pair. Cert, Key and Log are required.
type Options struct {
	// Cert is a PEM file with the certificate, and behind it those that lead to an authority; Key
	// one with its key, not encrypted. They may be the same file.
	Cert, Key string
	// Every is how often Watch looks at the files. Default 5 s.
	Every time.Duration
	Log   *slog.Logger
}

// Pair is a certificate with its key, read again when the files change. All methods are safe for
// use by several goroutines; Watch has one.
type Pair struct {
	o       Options
	current atomic.Pointer[tls.Certificate]
	broken  atomic.Pointer[error] // why what the files have now is not in use
	loaded  stamp                 // of current
}

// EndsSoon is how long before its end a certificate is to be renewed: from then on there is a WARN each
// day.
const EndsSoon = 14 * 24 * time.Hour

// Open reads a certificate and its key. One that has expired, or is not good yet, is an error: no
// client would take it.
func Open(o Options) (*Pair, error) {
	if o.Every <= 0 {
		o.Every = 5 * time.Second
	}
	p := &Pair{o: o}
	p.loaded = p.stamp()
	cert, err := read(o.Cert, o.Key, time.Now())
	if err != nil {
		return nil, err
	}
	p.current.Store(cert)
	return p, nil
}

// read reads a pair that is good at a moment.
func read(certFile, keyFile string, now time.Time) (*tls.Certificate, error) {
	certText, err := secretfile.Bytes(certFile, secretfile.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", certFile, err)
	}
	keyText, err := secretfile.Bytes(keyFile, secretfile.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", keyFile, err)
	}
	cert, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, explainPair(certFile, keyFile, certText, keyText, err)
	}
	switch leaf := cert.Leaf; {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("certificate %s has expired on %s: renew it", certFile, date(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("certificate %s is good from %s on: correct the clock of this machine, or wait", certFile, date(leaf.NotBefore))
	}
	return &cert, nil
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// explainPair tells which of two files is wrong.
func explainPair(certFile, keyFile string, certText, keyText []byte, err error) error {
	hasKey := bytes.Contains(keyText, []byte("PRIVATE KEY-----"))
	switch {
	case !bytes.Contains(certText, []byte("-----BEGIN CERTIFICATE-----")):
		return fmt.Errorf("read certificate: %s has no PEM block -----BEGIN CERTIFICATE-----", certFile)
	case bytes.Contains(keyText, []byte("ENCRYPTED")):
		return fmt.Errorf("read key: the one in %s is encrypted: write it without a passphrase, readable by this user alone", keyFile)
	case !hasKey:
		return fmt.Errorf("read key: %s has no PEM block -----BEGIN PRIVATE KEY-----", keyFile)
	}
	if _, certErr := firstCertificate(certText); certErr != nil {
		return fmt.Errorf("read certificate: %s: %w", certFile, certErr)
	}
	// What crypto/tls says of a pair has nothing of the key.
	return fmt.Errorf("certificate %s and key %s do not go together: %w", certFile, keyFile, err)
}

func firstCertificate(text []byte) (*x509.Certificate, error) {
	blocks := blocksOf(text, "CERTIFICATE")
	if len(blocks) == 0 {
		return nil, errors.New("no certificate")
	}
	return x509.ParseCertificate(blocks[0])
}

// Config returns the configuration of a server: TLS 1.2 and later, HTTP/1.1, and the certificate
// that is in use when a connection begins.
func (p *Pair) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current.Load(), nil },
	}
}

// Remaining returns how long the certificate in use is good for; it is negative once it has
// expired.
func (p *Pair) Remaining() time.Duration { return time.Until(p.current.Load().Leaf.NotAfter) }

// Err returns why what the files have now is not in use, or nil.
func (p *Pair) Err() error {
	if err := p.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// stamp changes when one of the files does.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

func (p *Pair) stamp() (s stamp) {
	if info, err := os.Stat(p.o.Cert); err == nil {
		s.cert, s.certSize = info.ModTime(), info.Size()
	}
	if info, err := os.Stat(p.o.Key); err == nil {
		s.key, s.keySize = info.ModTime(), info.Size()
	}
	return s
}

// Watch looks at the files until ctx ends, and takes a new pair into use once it is good. A pair
// that is no good is an error only when the files rest: between two looks one of them is the old
// one still. Connections that are open go on.
func (p *Pair) Watch(ctx context.Context) {
	t := time.NewTicker(p.o.Every)
	defer t.Stop()
	seen, reported := p.loaded, false
	var warned time.Time
	for {
		p.warn(&warned)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := p.stamp()
		rests := now == seen
		if !rests {
			seen, reported = now, false
		}
		if now == p.loaded && p.Err() == nil || rests && reported {
			continue
		}
		cert, err := read(p.o.Cert, p.o.Key, time.Now())
		switch {
		case err == nil:
			p.loaded, warned = now, time.Time{}
			p.current.Store(cert)
			p.broken.Store(nil)
			p.o.Log.Info("a new certificate is in use", "file", p.o.Cert, "until", date(cert.Leaf.NotAfter))
		case rests:
			reported = true
			p.broken.Store(&err)
			p.o.Log.Error("the new certificate can't be used; the old one stays in use", "err", err, "until", date(p.current.Load().Leaf.NotAfter))
		}
	}
}

// warn logs once a day that the certificate is about to end, or has ended.
func (p *Pair) warn(last *time.Time) {
	left := p.Remaining()
	if left > EndsSoon || time.Since(*last) < 24*time.Hour {
		return
	}
	*last = time.Now()
	until := date(p.current.Load().Leaf.NotAfter)
	if left < 0 {
		p.o.Log.Error("the certificate has expired, and clients refuse it: renew it", "file", p.o.Cert, "until", until)
		return
	}
	p.o.Log.Warn("the certificate expires soon: renew it", "file", p.o.Cert, "until", until)
}
