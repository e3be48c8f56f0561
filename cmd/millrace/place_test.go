package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
	"millrace/internal/kafkatest"
)

// place is where a test's server keeps its things: all in a folder, or rollups and archive with real services.
type place struct {
	data       string
	influx, s3 string // "": in the folder
	kafka      string // brokers, "": embedded
}

// localPlace keeps everything in a temporary folder.
func localPlace(tb testing.TB) place { return place{data: tb.TempDir()} }

// servicesPlace uses the servers that deploy/dev-services.sh has started, with a database and a prefix of its own.
func servicesPlace(tb testing.TB) place {
	influx, s3 := os.Getenv("MILLRACE_TEST_INFLUX"), os.Getenv("MILLRACE_TEST_S3")
	if influx == "" || s3 == "" {
		tb.Skip("MILLRACE_TEST_INFLUX or MILLRACE_TEST_S3 not set: run deploy/dev-services.sh up")
	}
	name := fmt.Sprintf("e2e_%d_%d", os.Getpid(), time.Now().UnixNano())
	edit := func(address string, change func(*url.URL)) string {
		u, err := url.Parse(address)
		if err != nil {
			tb.Fatal(err)
		}
		change(u)
		return u.String()
	}
	p := place{
		data:   tb.TempDir(),
		influx: edit(influx, func(u *url.URL) { u.Path = "/" + name }),
		s3:     edit(s3, func(u *url.URL) { u.Path += "/" + name }),
	}
	tb.Cleanup(func() {
		if err := p.loseRollups(); err != nil {
			tb.Log(err)
		}
	})
	return p
}

// kafkaPlace is localPlace on the Kafka cluster that deploy/dev-kafka.sh has started, emptied.
func kafkaPlace(tb testing.TB) place {
	return place{data: tb.TempDir(), kafka: strings.Join(kafkatest.Fresh(tb), ",")}
}

// args are the flags for serve, replay and import.
func (p place) args(args ...string) []string {
	serve := args[0] == "serve"
	args = append(args, "--data", p.data)
	if p.kafka != "" && serve {
		// After a kill the group waits so long for members that are dead; brokers do not take less.
		args = append(args, "--kafka", p.kafka, "--session-timeout", "6s")
	}
	if p.influx != "" {
		args = append(args, "--influx", p.influx)
	}
	if p.s3 != "" {
		args = append(args, "--s3", p.s3)
	}
	return args
}

// lake opens the archive for reading, also beside a server.
func (p place) lake() (*lake.Reader, error) {
	store, err := stores.OpenLake(p.s3, filepath.Join(p.data, "lake"))
	if err != nil {
		return nil, err
	}
	return lake.NewReader(store), nil
}

// loseRollups deletes the rollup store of a stopped server.
func (p place) loseRollups() error {
	if p.influx == "" {
		return os.RemoveAll(filepath.Join(p.data, "rollups"))
	}
	cfg, err := influxdb.ParseURL(p.influx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return influxdb.NewClient(cfg, 10*time.Second, nil).Query(ctx, "DROP DATABASE "+influxdb.QuoteName(cfg.DB),
		func(*influxdb.Series) error { return nil })
}

// stores are the options of a command on the place's stores.
func (p place) stores(create bool) offline.Options {
	return offline.Options{Data: p.data, Influx: p.influx, S3: p.s3, Version: version, Create: create, Log: discardLog()}
}

// dump reads every point before an instant from the rollup store of a stopped server.
func (p place) dump(tb testing.TB, until event.Time) map[string]string {
	tb.Helper()
	off, err := offline.Open(p.stores(false))
	if err != nil {
		tb.Fatal(err)
	}
	points, err := dumpStore(tb.Context(), off.Stores.Rollups(), until)
	if err := errors.Join(err, off.Close()); err != nil {
		tb.Fatal(err)
	}
	return points
}

func dumpStore(ctx context.Context, r stores.Rollups, until event.Time) (map[string]string, error) {
	points := map[string]string{}
	sites, err := r.Sites(ctx)
	if err != nil {
		return nil, err
	}
	for _, site := range sites {
		for f := range window.NumFamilies {
			sel := window.Selection{Site: site, Family: f, From: 0, To: until}
			err := r.Scan(ctx, sel, func(start event.Time, final bool, p *window.Point) error {
				points[fmt.Sprintf("%s %s %s %q", site, start, f, p.Dims)] = fmt.Sprintf("%+v, final: %v", p.Rollup, final)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return points, nil
}
