// Command image writes the container image of millrace, without a daemon and without a base image.
//
//	image --binary amd64=dist/millrace-amd64 --binary arm64=dist/millrace-arm64 \
//		--version 0.1.0 --revision COMMIT --created 1796016933 --out dist/millrace.tar
//
// In go static binaries; out comes an OCI image layout as a tar, with one manifest for each binary
// and an index over them, and beside it one software bill of materials (CycloneDX 1.6, JSON) for
// each. With --root FOLDER the file system of the one binary is written there instead, for a
// Dockerfile to copy.
//
// Invariants:
//   - The same binaries and flags give the same bytes: entries are sorted, times are --created,
//     gzip is Go's at a fixed level. Another release of Go may compress otherwise.
//   - Nothing of this machine goes in. The roots of certificates are those of the pinned module
//     golang.org/x/crypto/x509roots, unless --ca names a file. Time zones are in the binary.
//   - The user is 65532 and owns /data alone; everything else is root's, and is never written to.
//
// It pushes nothing: skopeo, crane, oras, docker load and ctr import read the layout.
package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// options are the flags.
type options struct {
	binaries                map[string]string // file of each architecture
	version, revision, name string
	created                 time.Time
	out, root, ca, license  string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	roots := bundled()
	if o.ca != "" {
		if roots, err = os.ReadFile(o.ca); err != nil {
			return err
		}
	}
	license, err := os.ReadFile(o.license)
	if err != nil {
		return err
	}
	var images []built
	for _, arch := range o.archs() {
		binary, err := os.ReadFile(o.binaries[arch])
		if err != nil {
			return err
		}
		bom, err := sbom(binary, arch, o)
		if err != nil {
			return fmt.Errorf("%s: %w", o.binaries[arch], err)
		}
		files := rootfs(binary, bom, roots, license)
		if o.root != "" {
			return writeRoot(o.root, files)
		}
		image, err := build(arch, files, o)
		if err != nil {
			return err
		}
		if err := os.WriteFile(strings.TrimSuffix(o.out, ".tar")+"-"+arch+".cdx.json", bom, 0o644); err != nil {
			return err
		}
		images = append(images, image)
	}
	var tar bytes.Buffer
	digest, err := writeLayout(&tar, images, o)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.out, tar.Bytes(), 0o644); err != nil {
		return err
	}
	for _, image := range images {
		fmt.Printf("%.1f MB  linux/%s  %s\n", float64(image.size())/1e6, image.arch, image.manifest.digest)
	}
	fmt.Printf("%s  %s\n", digest, o.out)
	return nil
}

func parse(args []string) (options, error) {
	o := options{binaries: map[string]string{}}
	var created int64
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Func("binary", "`ARCH=FILE`, once for each architecture", func(value string) error {
		arch, file, ok := strings.Cut(value, "=")
		if !ok || arch == "" || file == "" {
			return errors.New("want ARCH=FILE, such as amd64=dist/millrace")
		}
		o.binaries[arch] = file
		return nil
	})
	flags.StringVar(&o.name, "name", "millrace", "name that engines give the image")
	flags.StringVar(&o.version, "version", "", "release, for the labels")
	flags.StringVar(&o.revision, "revision", "", "commit, for the labels")
	flags.Int64Var(&created, "created", 0, "time of all files and of the image, seconds since 1970 (UTC)")
	flags.StringVar(&o.out, "out", "", "tar to write")
	flags.StringVar(&o.root, "root", "", "folder to write the file system to instead, of one binary")
	flags.StringVar(&o.ca, "ca", "", "roots of certificates, PEM; those of golang.org/x/crypto/x509roots by default")
	flags.StringVar(&o.license, "license", "LICENSE", "file of the licence")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.created = time.Unix(created, 0).UTC()
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case len(o.binaries) == 0:
		return o, errors.New("no --binary")
	case (o.out == "") == (o.root == ""):
		return o, errors.New("want one of --out and --root")
	case o.root != "" && len(o.binaries) != 1:
		return o, errors.New("--root takes one --binary")
	case o.version == "":
		return o, errors.New("no --version")
	}
	return o, nil
}

// archs returns the architectures in the order in which they are written.
func (o options) archs() []string {
	var archs []string
	for arch := range o.binaries {
		archs = append(archs, arch)
	}
	sort.Strings(archs)
	return archs
}

// bundled returns Mozilla's roots as PEM. Those that Mozilla trusts with further conditions only
// are left out: a file of PEM can't say them.
func bundled() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // to memory, which takes all
	}
	return b.Bytes()
}

// writeRoot writes the file system to a folder. Owners are left to whoever copies it.
func writeRoot(root string, files []file) error {
	for _, f := range files {
		path := filepath.Join(root, f.name)
		if f.dir {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
		} else if err := os.WriteFile(path, f.data, os.FileMode(f.mode)); err != nil {
			return err
		}
		if err := os.Chmod(path, f.fileMode()); err != nil {
			return err
		}
	}
	return nil
}
