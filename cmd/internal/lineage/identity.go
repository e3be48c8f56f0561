package lineage

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"path/filepath"

	"millrace/engine/wire"
	"millrace/internal/kafka"
	"millrace/internal/smallfile"
)

// identity is the log that a data folder was made of. It is written at the first start and
// compared at each later one.
type identity struct {
	V          int               `json:"v"`
	Cluster    string            `json:"cluster,omitempty"`
	Prefix     string            `json:"topic_prefix,omitempty"` // of the names in Topics
	Partitions int32             `json:"partitions"`
	Topics     map[string]string `json:"topics"` // id by name; no entry where the brokers have no ids
	// Sum is a checksum of the rest, so that a damaged id is not taken for another log; "" in
	// files of the first builds.
	Sum string `json:"sum,omitempty"`
}

// sum returns the CRC-32C, in hexadecimal, of the JSON without Sum, in which the keys of maps are
// sorted.
func (id identity) sum() string {
	id.Sum = ""
	data, _ := json.Marshal(id) // can't fail: strings and numbers
	return fmt.Sprintf("%08x", crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

const (
	IdentityFile    = "log-identity.json"
	identityVersion = 1
)

// identityOf is the identity of the log as it is.
func (g *Guard) identityOf(v *view) *identity {
	id := &identity{V: identityVersion, Prefix: g.opts.Names.Prefix, Cluster: v.cluster, Topics: map[string]string{}}
	for name, t := range v.topics {
		if t.id != "" {
			id.Topics[name] = t.id
		}
	}
	id.Partitions = int32(len(v.topics[g.events()].starts))
	id.Sum = id.sum()
	return id
}

// readIdentity reads the folder's; nil if it has none.
func (g *Guard) readIdentity() (*identity, error) {
	path := filepath.Join(g.opts.Dir.Path(), IdentityFile)
	data, err := smallfile.Read(path, 16<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read identity of the log: %w", err)
	}
	var id identity
	err = json.Unmarshal(data, &id)
	switch {
	case err != nil:
	case id.V > identityVersion: // whose checksum may be of more than this build knows
		return nil, fmt.Errorf("%s is %w: %w; if there is none, %s",
			path, errNewIdentity, wire.Newer(id.V, identityVersion, identityVersion), g.badIdentityWaysOut())
	case id.Sum != "" && id.Sum != id.sum():
		err = errors.New("its checksum is wrong")
	case id.V != identityVersion:
		err = fmt.Errorf("there is no version %d", id.V)
	default:
		return &id, nil
	}
	return nil, fmt.Errorf("%s is %w: %w; %s", path, errIdentity, err, g.badIdentityWaysOut())
}

// writeIdentity writes what differs from the old one.
func (g *Guard) writeIdentity(old, now *identity) error {
	if old != nil && old.Cluster == now.Cluster && old.Partitions == now.Partitions && old.Sum == now.Sum && maps.Equal(old.Topics, now.Topics) {
		return nil
	}
	data, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return fmt.Errorf("BUG: encode identity: %w", err)
	}
	if err := g.opts.Dir.Write(IdentityFile, append(data, '\n')); err != nil {
		return fmt.Errorf("write identity of the log: %w", err)
	}
	return nil
}

// sameLog compares the log with the one the folder was made of. What one of them does not know is
// not compared.
func (g *Guard) sameLog(old *identity, v *view) error {
	if old == nil {
		return nil
	}
	now := g.identityOf(v)
	if err := errors.Join(g.samePrefix(old), g.sameCluster(old, now.Cluster)); err != nil {
		return err
	}
	if now.Partitions != 0 && old.Partitions != now.Partitions {
		return fmt.Errorf("%w: topic %s has %d partitions, the data folder was made of %d; partitions can't be taken away again: to go on with %d, %s",
			errRepartitioned, g.events(), now.Partitions, old.Partitions, now.Partitions, g.StartAnew())
	}
	for _, name := range g.logTopics() {
		was, is := old.Topics[name], now.Topics[name]
		if _, there := v.topics[name]; there && (was == "" || is == "" || was == is) {
			continue
		}
		if err := g.otherTopic(name, was, is, v); err != nil {
			return err
		}
	}
	return nil
}

// samePrefix compares the names of topics: two prefixes in one cluster are two logs.
func (g *Guard) samePrefix(old *identity) error {
	if old.Prefix == g.opts.Names.Prefix {
		return nil
	}
	return fmt.Errorf("%w: it was made with %s, and this process has %s; give the first, or a folder of its own with --data",
		errPrefix, kafka.Names{Prefix: old.Prefix}.Described(), g.opts.Names.Described())
}

func (g *Guard) sameCluster(old *identity, now string) error {
	switch {
	case old.Cluster == "" || now == "" || old.Cluster == now:
		return nil
	case g.opts.Embedded:
		return fmt.Errorf("%w: it was made of cluster %s, the embedded broker is %s; %s", errCluster, old.Cluster, now, g.waysOut())
	}
	return fmt.Errorf("%w: it was made of cluster %s, --kafka reaches %s; give the addresses of the first, or a folder of its own with --data",
		errCluster, old.Cluster, now)
}

// otherTopic returns what a topic that was made anew means: for events everything, for the
// changelog nothing without state, for windows nothing if their group begins anew too, as it does
// when Kafka forgets the offsets of a deleted topic.
func (g *Guard) otherTopic(name, was, is string, v *view) error {
	found := fmt.Errorf("%w: topic %s has the id %s, what is in the data folder was made of %s", errLog, name, cmp.Or(is, "none: it is gone"), was)
	switch name {
	case g.table():
		if g.counts() && g.opts.HasState() {
			return fmt.Errorf("%w; %s", found, g.changelogWaysOut())
		}
	case g.windows():
		for group, topic := range g.opts.Groups {
			if topic == name && len(v.groups[group]) > 0 {
				return fmt.Errorf("%w; %s", found, g.windowsWaysOut(group))
			}
		}
		g.opts.Log.Warn(`the windows topic was made anew: run "millrace replay" for those that were lost with it`, "topic", name)
	default:
		return fmt.Errorf("%w; %s", found, g.waysOut())
	}
	return nil
}
