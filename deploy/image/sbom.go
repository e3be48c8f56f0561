package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The part of CycloneDX 1.6 that a Go binary can fill by itself.
type bom struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     bomMetadata  `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type bomMetadata struct {
	Timestamp time.Time `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Hashes     []bomHash  `json:"hashes,omitempty"`
	Licenses   []license  `json:"licenses,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type bomHash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type license struct {
	Expression string `json:"expression"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// sbom lists what is linked into a binary, as go version -m shows it: modules, and the standard
// library as the release of Go that it was built with. It is an error if the binary is none of Go,
// or one for another architecture.
func sbom(binary []byte, arch string, o options) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return nil, err
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(binary))
	self := component{
		Ref: "millrace", Type: "application", Name: "millrace", Version: o.version,
		Hashes:   []bomHash{{"SHA-256", digest}},
		Licenses: []license{{"Apache-2.0"}},
	}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" && s.Value != arch {
			return nil, fmt.Errorf("was built for %s, not for %s", s.Value, arch)
		}
		if s.Key == "CGO_ENABLED" && s.Value != "0" {
			return nil, fmt.Errorf("was built with CGO_ENABLED=%s: it has to run without a C library", s.Value)
		}
		if strings.HasPrefix(s.Key, "-") || strings.HasPrefix(s.Key, "GO") || strings.HasPrefix(s.Key, "vcs.") || s.Key == "CGO_ENABLED" {
			self.Properties = append(self.Properties, property{"go:build:" + s.Key, s.Value})
		}
	}
	b := bom{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		// A UUID has a version, 4, and a variant, 8, in their places; the rest is of the digest.
		SerialNumber: fmt.Sprintf("urn:uuid:%s-%s-4%s-8%s-%s", digest[:8], digest[8:12], digest[13:16], digest[17:20], digest[20:32]),
		Metadata:     bomMetadata{o.created, self},
	}
	std := strings.TrimPrefix(info.GoVersion, "go")
	b.Components = append(b.Components, component{
		Ref: "pkg:golang/std@" + std, Type: "library", Name: "std", Version: std, PURL: "pkg:golang/std@" + std,
		Licenses: []license{{"BSD-3-Clause"}},
	})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if strings.HasPrefix(m.Path, "./") { // a folder of this repository, which is part of what self names
			continue
		}
		purl := "pkg:golang/" + m.Path + "@" + m.Version
		c := component{Ref: purl, Type: "library", Name: m.Path, Version: m.Version, PURL: purl}
		if m.Sum != "" {
			c.Properties = []property{{"go:module:sum", m.Sum}}
		}
		b.Components = append(b.Components, c)
	}
	uses := dependency{Ref: self.Ref}
	for _, c := range b.Components {
		uses.DependsOn = append(uses.DependsOn, c.Ref)
	}
	b.Dependencies = []dependency{uses}
	return json.MarshalIndent(b, "", " ")
}
