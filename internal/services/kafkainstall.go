package services

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// kafkaPOM says which Kafka it is: Maven finds everything else by it.
//
//go:embed kafka/pom.xml
var kafkaPOM []byte

var pomVersion = regexp.MustCompile(`<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)</version>`)

// KafkaVersion is the version that Maven installs unless told another.
func KafkaVersion() string { return string(pomVersion.FindSubmatch(kafkaPOM)[1]) }

// errNoKafka tells what can be done about a Kafka that can't be had.
func errNoKafka(version, tool string, err error) error {
	return fmt.Errorf("install Kafka %s: %s is needed: %w; install it, or unpack a Kafka of version 4 and name its folder with MILLRACE_KAFKA_HOME",
		version, tool, err)
}

// kafkaLibs returns the folder of jars that a broker needs: that of an installation if one is named, else one that Maven fills
// once for each version.
func (m *Manager) kafkaLibs(ctx context.Context, home, version string) (string, error) {
	if home != "" {
		libs := filepath.Join(home, "libs")
		if !hasKafka(libs) {
			return "", fmt.Errorf("use the Kafka installation %s: there is no libs/kafka_2.*.jar in it", home)
		}
		return libs, nil
	}
	all := m.Bin
	if all == "" {
		all = filepath.Join(m.Dir, "bin")
	}
	version = cmp.Or(version, KafkaVersion())
	libs, err := filepath.Abs(filepath.Join(all, "kafka-"+version))
	if err != nil || hasKafka(libs) {
		return libs, err
	}
	if err := m.installKafka(ctx, version, all, libs); err != nil {
		return "", err
	}
	return libs, nil
}

func (m *Manager) installKafka(ctx context.Context, version, all, libs string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errNoKafka(version, "Maven's command mvn", err)
	}
	m.logf("fetching Kafka %s and what it needs with Maven, once: about 45 MB …", version)
	if err := os.MkdirAll(all, 0o755); err != nil {
		return fmt.Errorf("install Kafka: %w", err)
	}
	// Into a folder beside, so that half of it is never taken for the whole.
	tmp, err := os.MkdirTemp(all, "kafka-")
	if err != nil {
		return fmt.Errorf("install Kafka: %w", err)
	}
	defer os.RemoveAll(tmp)
	pom := filepath.Join(tmp, "pom.xml")
	if err := os.WriteFile(pom, bytes.ReplaceAll(kafkaPOM, []byte("<version>"+KafkaVersion()+"<"), []byte("<version>"+version+"<")), 0o644); err != nil {
		return fmt.Errorf("install Kafka: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, mvn, "--quiet", "--batch-mode", "--file", pom, "dependency:copy-dependencies",
		"-DoutputDirectory="+filepath.Join(tmp, "libs"), "-DincludeScope=runtime")
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install Kafka %s with Maven: %w\n%s", version, err, tail(string(out), 20))
	}
	if err := os.Rename(filepath.Join(tmp, "libs"), libs); err != nil && !hasKafka(libs) {
		return fmt.Errorf("install Kafka: %w", err)
	}
	return nil
}

func hasKafka(libs string) bool {
	jars, _ := filepath.Glob(filepath.Join(libs, "kafka_2.*.jar"))
	return len(jars) > 0
}

// findJava returns the path of the program itself: java on the PATH is often a link to it.
func findJava() (string, error) {
	java, err := exec.LookPath("java")
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java, err = exec.LookPath(filepath.Join(home, "bin", "java"+exeSuffix))
	}
	if err != nil {
		return "", fmt.Errorf("start Kafka: java of version 17 or later is needed, on the PATH or in JAVA_HOME: %w", err)
	}
	return filepath.EvalSymlinks(java)
}

// formatKafka prepares the empty data folder of a broker.
func formatKafka(ctx context.Context, java, libs, clusterID, conf string, more ...string) error {
	args := []string{"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8",
		"-cp", filepath.Join(libs, "*"), "kafka.tools.StorageTool", "format", "--cluster-id", clusterID, "--config", conf}
	cmd := exec.CommandContext(ctx, java, append(args, more...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8") // by which java reads its arguments
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil && strings.Contains(string(out), "UnsupportedClassVersionError") {
		err = errors.New("this java is too old, 17 is the least")
	}
	if err != nil {
		return fmt.Errorf("format Kafka's data folder: %w\n%s", err, tail(string(out), 15))
	}
	return nil
}
