package rolling

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Yesterday returns the newest commit that was made before the day, in UTC, of a repository's HEAD.
func Yesterday(ctx context.Context, repo string) (string, error) {
	text, err := git(ctx, repo, "log", "-1", "--format=%ct", "HEAD")
	if err != nil {
		return "", err
	}
	var sec int64
	if _, err := fmt.Sscan(text, &sec); err != nil {
		return "", fmt.Errorf("read the time of HEAD: %w", err)
	}
	day := time.Unix(sec, 0).UTC().Truncate(24 * time.Hour)
	commit, err := git(ctx, repo, "log", "-1", "--format=%H", fmt.Sprintf("--before=%d", day.Unix()), "HEAD")
	if err == nil && commit == "" {
		err = fmt.Errorf("there is no commit before %s: the clone is shallow, or the project began on that day; name a commit", day.Format(time.DateOnly))
	}
	return commit, err
}

// Build builds the program of a commit into a folder and returns its path. An empty commit is the
// working tree as it is. The repository stays as it is.
func Build(ctx context.Context, repo, commit, dir string) (string, error) {
	source, name := repo, "worktree"
	if commit != "" {
		hash, err := git(ctx, repo, "rev-parse", "--verify", commit+"^{commit}")
		if err != nil {
			return "", err
		}
		name = hash[:12]
		source = filepath.Join(dir, "source-"+name)
		if err := unpack(ctx, repo, hash, source); err != nil {
			return "", err
		}
	}
	out, err := filepath.Abs(filepath.Join(dir, "millrace-"+name))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", out, "./cmd/millrace")
	cmd.Dir = source
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build millrace of %s: %w\n%s", name, err, text)
	}
	return out, nil
}

// unpack writes the files of a commit into a folder.
func unpack(ctx context.Context, repo, hash, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	archive := filepath.Join(dir, ".archive.tar")
	if _, err := git(ctx, repo, "archive", "--format=tar", "-o", archive, hash); err != nil {
		return err
	}
	if text, err := exec.CommandContext(ctx, "tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("unpack commit %s: %w\n%s", hash, err, text)
	}
	return os.Remove(archive)
}

// git runs a command of git in a repository and returns what it prints.
func git(ctx context.Context, repo string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", repo}, args...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", args[0], err, errs.String())
	}
	return strings.TrimSpace(string(out)), nil
}
