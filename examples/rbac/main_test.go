package main

import (
	"strings"
	"testing"
)

const want = `ann, "north", view: allowed: role "operator"("north") held in "north" inherits "viewer", which grants it on "entity":"power" in "device":"meter" in "integration":"lora"
ann, "north", switch: allowed: role "operator"("north") held in "north" grants it on "entity":"power" in "device":"meter"
eve, "south", view: allowed: role "viewer" held in "south" grants it on "entity":"power" in "device":"meter" in "integration":"lora"
eve, "north", view: denied: the subject holds no role here

why not?
may "bob" do "switch" on "entity":"power" in "north"? denied: no role held grants it
- "viewer", held in "north", on "entity":"power": no grant
- "viewer", held in "north", on "entity":"power" in "device":"meter": no grant
- "viewer", held in "north", on "entity":"power" in "device":"meter" in "integration":"lora": no grant

who may?
ann: allowed: role "operator"("north") held in "north" grants it on "entity":"power" in "device":"meter"

what cannot be: rbac: "integration":"lora" would contain itself: "integration":"lora" -> "entity":"power" -> "device":"meter" -> "integration":"lora"
`

func TestRun(t *testing.T) {
	var got strings.Builder
	if err := run(&got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("it prints\n%s\nwant\n%s", got.String(), want)
	}
}
