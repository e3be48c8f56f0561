package main

type importCommand struct {
	storeFlags `embed:""`
}

func (importCommand) Run(p *process, logs *logFlags) error { return usagef("not yet") }
