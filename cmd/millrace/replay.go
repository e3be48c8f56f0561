package main

type replayCommand struct {
	storeFlags `embed:""`
}

func (replayCommand) Run(p *process, logs *logFlags) error { return usagef("not yet") }
