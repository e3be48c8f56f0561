package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"time"

	"millrace/cmd/internal/check"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/internal/blob"
	"millrace/internal/certs"
	"millrace/internal/influxdb"
)

// probeTime bounds a request of a probe.
const probeTime = 15 * time.Second

// certificateProbes try the files of --tls-cert and --tls-key, and of --admin-tls-cert and --admin-tls-key.
func (o *Options) certificateProbes() []check.Probe {
	var probes []check.Probe
	if o.TLSCert != "" {
		probes = append(probes, certificateProbe("certificate", o.TLSCert, o.TLSKey))
	}
	if o.AdminTLSCert != "" {
		probes = append(probes, certificateProbe("admin certificate", o.AdminTLSCert, o.AdminTLSKey))
	}
	return probes
}

// addressProbes try whether the addresses to listen on are free, as they are not beside a serve.
func (o *Options) addressProbes() []check.Probe {
	probe := func(name, addr string) check.Probe {
		return check.Probe{Name: name, Run: func(ctx context.Context) (string, error) {
			l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
			if errors.Is(err, syscall.EADDRINUSE) {
				return "", check.Warning(addr + " is in use: by a serve that runs, or by another program, which keeps one from starting")
			}
			if err != nil {
				return "", fmt.Errorf("--%s: %w", name, err)
			}
			return addr + " can be listened on", l.Close()
		}}
	}
	var probes []check.Probe
	if o.Listen != "" && (o.has(roles.Collect) || o.has(roles.Query)) {
		probes = append(probes, probe("listen", o.Listen))
	}
	if o.Admin != "" {
		probes = append(probes, probe("admin", o.Admin))
	}
	return probes
}

func certificateProbe(name, cert, key string) check.Probe {
	return check.Probe{Name: name, Run: func(context.Context) (string, error) {
		pair, err := certs.Open(certs.Options{Cert: cert, Key: key, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return "", err
		}
		text := fmt.Sprintf("%s is good for %d days", cert, int(pair.Remaining().Hours()/24))
		if pair.Remaining() < certs.EndsSoon {
			return "", check.Warning(text + ": renew it")
		}
		return text, nil
	}}
}

// archiveProbes try the bucket or folder of --s3. Without it the archive is in the data folder.
func (o *Options) archiveProbes() []check.Probe {
	if o.S3 == "" {
		return nil
	}
	return []check.Probe{{Name: "archive", Run: func(ctx context.Context) (string, error) {
		store, err := stores.OpenLake(o.S3, "")
		if err != nil {
			return "", err
		}
		if !o.has(roles.Archive) {
			if err := store.Check(ctx); err != nil {
				return "", err
			}
			return store.String() + " can be listed", nil
		}
		bucket, ok := store.(blob.Prober)
		if !ok {
			if err := store.Check(ctx); err != nil {
				return "", err
			}
			return store.String() + " can be written", nil
		}
		report, err := bucket.Probe(ctx, lake.ProbeObjects)
		if err != nil {
			return "", err
		}
		found := store.String() + " keeps and lists what is put there"
		if notes := strings.Join(report.Notes, "; "); notes != "" {
			found += "; " + notes
		}
		if len(report.Left) > 0 {
			return "", check.Warning(fmt.Sprintf("%s; %s could not be removed, and does no harm: %v", found, strings.Join(report.Left, " and "), report.WhyLeft))
		}
		return found, nil
	}}}
}

// influxProbes try the database of --influx.
func (o *Options) influxProbes() []check.Probe {
	writes, reads := o.has(roles.Emit), o.has(roles.Query)
	if o.Influx == "" || !writes && !reads {
		return nil
	}
	cfg, cfgErr := influxdb.ParseURL(o.Influx)
	client := influxdb.NewClient(cfg, probeTime, nil)
	quiet := slog.New(slog.DiscardHandler)
	rights := func(ctx context.Context) (string, error) {
		db, err := stores.OpenInflux(o.Influx, stores.LogDead(quiet), quiet)
		if err != nil {
			return "", err
		}
		defer db.Close()
		makes := false // the first write makes the database
		if writes && !cfg.V2() {
			has, err := client.HasDatabase(ctx)
			client.CloseIdle()
			makes = err == nil && !has
		}
		if writes {
			if err := db.Sink.Probe(ctx); err != nil {
				return "", err
			}
		}
		if reads {
			if err := db.Reader.Check(ctx); err != nil {
				return "", err
			}
		}
		if makes {
			return "", check.Warning(fmt.Sprintf("%s was not there, and has been made: is its name right?", cfg))
		}
		return cfg.String() + " can be " + map[[2]bool]string{{true, true}: "written and read", {true, false}: "written", {false, true}: "read"}[[2]bool{writes, reads}], nil
	}
	return []check.Probe{
		{Name: "influxdb", Run: func(ctx context.Context) (string, error) {
			defer client.CloseIdle()
			version, err := client.Ping(ctx)
			return version, errors.Join(cfgErr, err)
		}},
		{Name: "influxdb rights", Needs: "influxdb", Run: rights},
		{Name: "influxdb retention", Needs: "influxdb", Run: func(ctx context.Context) (string, error) {
			defer client.CloseIdle()
			kept, err := client.Retention(ctx)
			switch {
			case err != nil:
				return "", check.Warning("not known: " + err.Error())
			case kept == 0:
				return "rollups are kept for ever", nil
			}
			return "", check.Warning(fmt.Sprintf("the server removes rollups after %d days, and answers of earlier times are empty: ALTER RETENTION POLICY … DURATION INF keeps them",
				int(kept/(24*time.Hour))))
		}},
	}
}
