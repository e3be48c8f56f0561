package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine"
	"millrace/internal/kafka"
)

var (
	// errCluster: state, archive and rollups hold offsets, which mean nothing in another cluster.
	errCluster = errors.New("the data folder belongs to another Kafka cluster")
	// errRepartitioned: the state has its sites in the partitions of another number.
	errRepartitioned = errors.New("the number of partitions was changed under live state")
	// errIdentity: the file can't be read.
	errIdentity = errors.New("damaged or of a newer version")
)

// identity says which log a data folder was made of. It is written at the first start and compared at each later one.
type identity struct {
	V          int               `json:"v"`
	Cluster    string            `json:"cluster,omitempty"`
	Partitions int32             `json:"partitions"`
	Topics     map[string]string `json:"topics"` // id by name; no entry where the brokers have no ids
}

const (
	identityFile    = "log-identity.json"
	identityVersion = 1
)

// identityOf is the identity of the log as it is.
func identityOf(v *logView) *identity {
	id := &identity{V: identityVersion, Cluster: v.cluster, Topics: map[string]string{}}
	for name, t := range v.topics {
		if t.id != "" {
			id.Topics[name] = t.id
		}
	}
	id.Partitions = int32(len(v.topics[engine.EventsTopic].starts))
	return id
}

// readIdentity reads the folder's; nil if it has none.
func (n *node) readIdentity() (*identity, error) {
	path := filepath.Join(n.dir.Path(), identityFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read identity of the log: %w", err)
	}
	var id identity
	err = json.Unmarshal(data, &id)
	if err == nil && id.V != identityVersion {
		err = fmt.Errorf("version %d, this build has %d", id.V, identityVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is %w: %w; start the version that wrote it, or restore the file; "+
			"if you are sure that cluster and topics are the ones the folder was made of, delete it", path, errIdentity, err)
	}
	return &id, nil
}

// writeIdentity writes what differs from the old one.
func (n *node) writeIdentity(old, now *identity) error {
	if old != nil && old.Cluster == now.Cluster && old.Partitions == now.Partitions && maps.Equal(old.Topics, now.Topics) {
		return nil
	}
	data, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return fmt.Errorf("BUG: encode identity: %w", err)
	}
	if err := n.dir.Write(identityFile, append(data, '\n')); err != nil {
		return fmt.Errorf("write identity of the log: %w", err)
	}
	return nil
}

// sameLog compares the log with the one the folder was made of. What one of them does not know is not compared.
func (n *node) sameLog(old *identity, v *logView) error {
	if old == nil {
		return nil
	}
	now := identityOf(v)
	if old.Cluster != "" && now.Cluster != "" && old.Cluster != now.Cluster {
		return n.otherCluster(old, now)
	}
	if now.Partitions != 0 && old.Partitions != now.Partitions {
		return fmt.Errorf("%w: topic %s has %d partitions, the data folder was made of %d; partitions can't be taken away again: to go on with %d, %s",
			errRepartitioned, engine.EventsTopic, now.Partitions, old.Partitions, now.Partitions, n.startAnew())
	}
	for _, name := range logTopics() {
		was, is := old.Topics[name], now.Topics[name]
		if _, there := v.topics[name]; there && (was == "" || is == "" || was == is) {
			continue
		}
		if err := n.otherTopic(name, was, is, v); err != nil {
			return err
		}
	}
	return nil
}

// checkCluster compares the cluster alone, before any topic is made in it. One that can't be reached is the business of who
// makes the topics. The embedded broker's is compared later: a folder that was swapped shows better by its log.
func (n *node) checkCluster(ctx context.Context) error {
	old, err := n.readIdentity()
	if err != nil || old == nil || len(n.flags.Kafka) == 0 {
		return err
	}
	client, err := kgo.NewClient(n.clients...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, connectTime/2)
	defer cancel()
	var v logView
	if v.topics = map[string]topicView{}; v.describe(ctx, client) != nil {
		return nil
	}
	if now := identityOf(&v); old.Cluster != "" && now.Cluster != "" && old.Cluster != now.Cluster {
		return n.otherCluster(old, now)
	}
	return nil
}

func (n *node) otherCluster(old, now *identity) error {
	if len(n.flags.Kafka) == 0 {
		return fmt.Errorf("%w: it was made of cluster %s, the embedded broker is %s; %s", errCluster, old.Cluster, now.Cluster, n.waysOut())
	}
	return fmt.Errorf("%w: it was made of cluster %s, --kafka reaches %s; give the addresses of the first, or a folder of its own with --data",
		errCluster, old.Cluster, now.Cluster)
}

// otherTopic says what a topic that was made anew means: for events everything, for the changelog nothing without state, for
// windows nothing if their group begins anew too, as it does when Kafka forgets the offsets of a deleted topic.
func (n *node) otherTopic(name, was, is string, v *logView) error {
	found := fmt.Errorf("%w: topic %s has the id %s, what is in the data folder was made of %s", errLog, name, cmp.Or(is, "none: it is gone"), was)
	switch name {
	case kafka.TableTopic(engine.Group):
		if n.flags.has(roleProcess) && n.hasState() {
			return fmt.Errorf("%w; %s", found, n.changelogWaysOut())
		}
	case engine.WindowsTopic:
		group := n.emitGroup()
		if n.flags.has(roleEmit) && len(v.groups[group]) > 0 {
			return fmt.Errorf(`%w; stop, %s, start, and run "millrace replay" later, for the windows that were lost with it`, found, n.forgetGroup(group))
		}
		n.log.Warn(`the windows topic was made anew: run "millrace replay" for those that were lost with it`, "topic", name)
	default:
		return fmt.Errorf("%w; %s", found, n.waysOut())
	}
	return nil
}

// hasState tells whether there is state of any partition.
func (n *node) hasState() bool {
	return slices.ContainsFunc(n.partitionNumbers(), func(p int32) bool {
		_, err := os.Stat(n.stateOptions(p).Dir)
		return err == nil
	})
}

func (n *node) partitionNumbers() []int32 {
	all := make([]int32, n.flags.Partitions)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
