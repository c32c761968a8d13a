// Command rbac shows the engine alone: domains, inheritance, containment, a
// denial explained, and who may do a thing.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/gatehouse-go/gatehouse/rbac"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	// Two tenants share a role of the company; each may have roles of its own.
	north, south := rbac.Domain("north"), rbac.Domain("south")
	viewer, operator := rbac.Company.Role("viewer"), north.Role("operator")

	// An integration holds a device, which holds an entity.
	lora := rbac.Resource{Kind: "integration", ID: "lora"}
	meter := rbac.Resource{Kind: "device", ID: "meter"}
	power := rbac.Resource{Kind: "entity", ID: "power"}

	engine := rbac.New()
	_, err := engine.Change(func(tx *rbac.Tx) error {
		tx.Define(viewer, rbac.RoleSpec{})
		tx.Define(operator, rbac.RoleSpec{})
		tx.Inherit(operator, viewer)
		tx.Place(meter, lora)
		tx.Place(power, meter)
		tx.Grant(rbac.Grant{Role: viewer, Permission: rbac.On("view", lora)})
		tx.Grant(rbac.Grant{Role: operator, Permission: rbac.On("switch", meter)})
		tx.Assign(rbac.Assignment{Subject: "ann", Role: operator})
		tx.Assign(rbac.Assignment{Subject: "bob", Role: viewer, Domain: north})
		return tx.Assign(rbac.Assignment{Subject: "eve", Role: viewer, Domain: south})
	})
	if err != nil {
		return err
	}

	now := time.Now()
	ask := func(who rbac.Subject, in rbac.Domain, a rbac.Action) rbac.Question {
		return rbac.Question{Subject: who, Domain: in, Permission: rbac.On(a, power)}
	}
	for _, q := range []rbac.Question{
		ask("ann", north, "view"), ask("ann", north, "switch"), ask("eve", south, "view"), ask("eve", north, "view"),
	} {
		fmt.Fprintf(w, "%s, %s, %s: %v\n", q.Subject, q.Domain, q.Action, engine.Check(now, q))
	}

	fmt.Fprintln(w, "\nwhy not?")
	fmt.Fprintln(w, engine.Explain(now, ask("bob", north, "switch")))

	fmt.Fprintln(w, "\nwho may?")
	for who, d := range engine.Snapshot().WhoMay(now, north, rbac.On("switch", power)) {
		fmt.Fprintf(w, "%s: %v\n", who, d)
	}

	_, err = engine.Change(func(tx *rbac.Tx) error { return tx.Place(lora, power) })
	fmt.Fprintf(w, "\nwhat cannot be: %v\n", err)
	return nil
}
