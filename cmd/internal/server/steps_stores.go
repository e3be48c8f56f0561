package server

import (
	"context"

	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/cmd/internal/storesocket"
	"millrace/internal/blob"
)

// openStores opens what this process' roles need. Remote stores are not contacted: that one of
// them is away for now is no reason not to take beacons.
func (s *server) openStores(ctx context.Context) (err error) {
	if s.o.has(roles.Archive) {
		if s.stores.Lake, err = stores.OpenLake(s.o.S3, s.dir.Lake()); err != nil {
			return err
		}
	}
	switch {
	case !s.o.has(roles.Emit) && !s.o.has(roles.Query):
		return nil
	case s.o.Influx != "":
		s.stores.Influx, err = openInflux(s.o.Influx, s.cluster, &s.closers, s.log)
	default:
		s.stores.Local, err = openLocal(ctx, s.dir.Rollups(), s.stores.Lake, &s.closers, s.log)
	}
	return err
}

// openStoreSocket lets import and replay run beside this process, on its rollup store if it has
// one.
func (s *server) openStoreSocket(context.Context) error {
	var store storesocket.Store
	if s.stores.Local != nil {
		store = s.stores.Local
	}
	socket, err := storesocket.Listen(stores.Socket(s.dir.Path()), stores.Build(s.o.Version), store)
	if socket != nil {
		s.closers.add("rollup store's socket", socket.Close)
	}
	return err
}

// leaveRules leaves the engine's rules with the archive. A role that counts has another process
// archive, perhaps: it leaves them too, if it was given that archive's address.
func (s *server) leaveRules(ctx context.Context) error {
	archive, err := s.archiveOfRules()
	if archive != nil {
		leaveRules(ctx, archive, s.o.Engine.Rules(), &s.closers, s.log)
	}
	return err
}

// leaveCounting leaves with the archive what a role that counts counts by, likewise.
func (s *server) leaveCounting(ctx context.Context) error {
	if !s.o.has(roles.Process) {
		return nil
	}
	archive, err := s.archiveOfRules()
	if archive != nil {
		leaveCounting(ctx, archive, s.dir, rules.CountedBy(s.o.Version, s.o.Access.Sites), s.o.Engine.Rules(), &s.closers, s.log)
	}
	return err
}

// archiveOfRules returns the archive of this process, or the one whose address a role that counts
// was given; nil if there is none.
func (s *server) archiveOfRules() (blob.Store, error) {
	if s.stores.Lake != nil || !s.o.has(roles.Process) || s.o.S3 == "" {
		return s.stores.Lake, nil
	}
	return stores.OpenLake(s.o.S3, "")
}

// archiveOfHits returns the archive of this process, or the one whose address a role that answers queries was given; nil if there
// is none.
func (s *server) archiveOfHits() (blob.Store, error) {
	if s.stores.Lake != nil || s.o.S3 == "" {
		return s.stores.Lake, nil
	}
	return stores.OpenLake(s.o.S3, "")
}
