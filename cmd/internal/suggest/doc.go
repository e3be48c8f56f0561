// Package suggest finds which of some names was meant by a word that is none of them.
//
//	near := suggest.Nearest("lisetn", []string{"listen", "linger"}) // listen
//	suggest.DidYouMean(near, dashed)                               // , did you mean --listen?
//
// Distance is the number of letters that are put in, left out, replaced, or swapped with their
// neighbour; a third of a word's letters may differ, and at most three.
//
// cmd/millrace calls it for flags, variables, keys of the config file and commands. It knows none of
// them, and no words that mean the same.
package suggest
