package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// user is who the process is, and group: the number that images without a shell have for "nobody in
// particular". Kubernetes sees that a number is not root, which it does not of a name.
const user = 65532

// file is one entry of the image's file system.
type file struct {
	name  string // without a slash in front
	dir   bool
	mode  int64
	owner int
	data  []byte
}

func (f file) fileMode() os.FileMode {
	mode := os.FileMode(f.mode & 0o777)
	if f.mode&0o1000 != 0 {
		mode |= os.ModeSticky
	}
	return mode
}

// rootfs is all that is in the image. Folders come before what is in them.
func rootfs(binary, bom, roots, license []byte) []file {
	const passwd = "root:x:0:0:root:/:/sbin/nologin\nmillrace:x:65532:65532:millrace:/data:/sbin/nologin\n"
	const group = "root:x:0:\nmillrace:x:65532:\n"
	return []file{
		{name: "LICENSE", mode: 0o644, data: license},
		{name: "data", dir: true, mode: 0o700, owner: user},
		{name: "etc", dir: true, mode: 0o755},
		{name: "etc/group", mode: 0o644, data: []byte(group)},
		{name: "etc/passwd", mode: 0o644, data: []byte(passwd)},
		{name: "etc/ssl", dir: true, mode: 0o755},
		{name: "etc/ssl/certs", dir: true, mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: roots},
		{name: "millrace", mode: 0o755, data: binary},
		{name: "sbom.cdx.json", mode: 0o644, data: bom},
		{name: "tmp", dir: true, mode: 0o1777},
	}
}

// blob is content by its digest.
type blob struct {
	digest string
	data   []byte
}

func newBlob(data []byte) blob { return blob{fmt.Sprintf("sha256:%x", sha256.Sum256(data)), data} }

func (b blob) hex() string { return b.digest[len("sha256:"):] }

// descriptor is OCI's reference to a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

func (b blob) descriptor(mediaType string) descriptor {
	return descriptor{MediaType: mediaType, Digest: b.digest, Size: len(b.data)}
}

const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type imageConfig struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       runConfig `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
	History      []history `json:"history"`
}

type runConfig struct {
	User         string
	Env          []string
	Entrypoint   []string
	Cmd          []string
	WorkingDir   string
	ExposedPorts map[string]struct{}
	Volumes      map[string]struct{}
	Labels       map[string]string
	StopSignal   string
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// dockerImage is an entry of Docker's manifest.json.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// built is the image of one architecture.
type built struct {
	arch                    string
	layer, config, manifest blob
}

// size is what a pull transfers.
func (b built) size() int { return len(b.layer.data) + len(b.config.data) + len(b.manifest.data) }

func (o options) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "millrace",
		"org.opencontainers.image.description": "Web analytics that counts each event exactly once",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     o.version,
		"org.opencontainers.image.revision":    o.revision,
		"org.opencontainers.image.created":     o.created.Format(time.RFC3339),
	}
}

// how is how the image is run. Dockerfile says the same; a test compares them.
func (o options) how() runConfig {
	return runConfig{
		User:         fmt.Sprintf("%d:%d", user, user),
		Env:          []string{"MILLRACE_DATA=/data", "MILLRACE_LISTEN=:8080", "MILLRACE_ADMIN=:8081"},
		Entrypoint:   []string{"/millrace"},
		Cmd:          []string{"serve"},
		WorkingDir:   "/data",
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
		Volumes:      map[string]struct{}{"/data": {}},
		Labels:       o.labels(),
		StopSignal:   "SIGTERM",
	}
}

func build(arch string, files []file, o options) (built, error) {
	layer, err := tarOf(files, o.created)
	if err != nil {
		return built{}, err
	}
	var zipped bytes.Buffer
	zip, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return built{}, err
	}
	if _, err := zip.Write(layer); err != nil {
		return built{}, err
	}
	if err := zip.Close(); err != nil {
		return built{}, err
	}
	b := built{arch: arch, layer: newBlob(zipped.Bytes())}
	b.config = jsonBlob(imageConfig{
		Created: o.created, Architecture: arch, OS: "linux", Config: o.how(),
		RootFS:  rootFS{"layers", []string{newBlob(layer).digest}},
		History: []history{{o.created, "deploy/image.sh"}},
	})
	config := b.config.descriptor(typeConfig)
	b.manifest = jsonBlob(manifest{
		SchemaVersion: 2, MediaType: typeManifest, Config: &config,
		Layers: []descriptor{b.layer.descriptor(typeLayer)}, Annotations: o.labels(),
	})
	return b, nil
}

func jsonBlob(v any) blob {
	data, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error()) // all of them are plain structs
	}
	return newBlob(data)
}

func tarOf(files []file, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{
			Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, ModTime: at,
			Size: int64(len(f.data)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR,
		}
		if f.dir {
			h.Name, h.Typeflag = f.name+"/", tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// writeLayout writes an OCI image layout, and returns the digest of the index over all images: the
// digest that a registry has when all of it is pushed.
func writeLayout(w io.Writer, images []built, o options) (string, error) {
	top := manifest{SchemaVersion: 2, MediaType: typeIndex, Annotations: o.labels()}
	blobs := []blob{}
	for _, image := range images {
		d := image.manifest.descriptor(typeManifest)
		d.Platform = &platform{image.arch, "linux"}
		top.Manifests = append(top.Manifests, d)
		blobs = append(blobs, image.layer, image.config, image.manifest)
	}
	all := jsonBlob(top)
	d := all.descriptor(typeIndex)
	d.Annotations = map[string]string{
		"org.opencontainers.image.ref.name": o.version,                                       // skopeo
		"io.containerd.image.name":          "docker.io/library/" + o.name + ":" + o.version, // ctr, docker load
	}
	index := jsonBlob(manifest{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{d}})
	// Engines without containerd's store of images know Docker's older list alone, which has no
	// room for architectures: they are in the tags.
	var old []dockerImage
	for _, image := range images {
		old = append(old, dockerImage{
			"blobs/sha256/" + image.config.hex(), []string{o.name + ":" + o.version + "-" + image.arch}, []string{"blobs/sha256/" + image.layer.hex()},
		})
	}
	files := []file{
		{name: "manifest.json", mode: 0o644, data: jsonBlob(old).data},
		{name: "oci-layout", mode: 0o644, data: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{name: "index.json", mode: 0o644, data: index.data},
		{name: "blobs", dir: true, mode: 0o755},
		{name: "blobs/sha256", dir: true, mode: 0o755},
	}
	for _, b := range append(blobs, all) {
		files = append(files, file{name: "blobs/sha256/" + b.hex(), mode: 0o644, data: b.data})
	}
	data, err := tarOf(files, o.created)
	if err != nil {
		return "", err
	}
	_, err = w.Write(data)
	return all.digest, err
}
