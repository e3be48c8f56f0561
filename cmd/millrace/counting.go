package main

import (
	"errors"
	"io/fs"
	"os"

	"millrace/engine"
	"millrace/engine/facts"
)

// countingFlags say what is counted of an event. serve, replay and import share them, and need the same.
type countingFlags struct {
	Goals string `placeholder:"FILE" group:"Counting" help:"JSON file of the sites' goals. serve, replay and import need the same one: what one of them counts with another is a difference to the others."`
}

// newDeriver returns what makes a partition's Deriver. The file of goals is read now.
func (f *countingFlags) newDeriver() (func() engine.Deriver, error) {
	goals, err := f.goals()
	if err != nil {
		return nil, err
	}
	return func() engine.Deriver { return facts.New(facts.Options{Goals: goals}) }, nil
}

// goals reads the file of goals; nil if there is none.
func (f *countingFlags) goals() (*facts.Goals, error) {
	if f.Goals == "" {
		return nil, nil
	}
	file, err := os.Open(f.Goals)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err // the path is named already
		}
		return nil, usagef("--goals %s: %w", f.Goals, err)
	}
	defer file.Close()
	goals, err := facts.ParseGoals(file)
	if err != nil {
		return nil, usagef("--goals %s: %w", f.Goals, err)
	}
	return goals, nil
}
