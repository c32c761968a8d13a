package rbac_test

import (
	"fmt"
	"log"
	"time"

	"github.com/gatehouse-go/gatehouse/rbac"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// A device of a tenant is reached through its integration; a question that is
// denied tells why.
func ExampleEngine() {
	acme := rbac.Domain("acme")
	operator, viewer := rbac.Company.Role("operator"), rbac.Company.Role("viewer")
	gateway, sensor := rbac.Resource{Kind: "integration", ID: "1"}, rbac.Resource{Kind: "device", ID: "7"}

	e := rbac.New()
	_, err := e.Change(func(tx *rbac.Tx) error {
		tx.Define(operator, rbac.RoleSpec{})
		tx.Define(viewer, rbac.RoleSpec{})
		tx.Inherit(operator, viewer)
		tx.Grant(rbac.Grant{Role: viewer, Permission: rbac.On("view", gateway)})
		tx.Grant(rbac.Grant{Role: operator, Permission: rbac.Do("workflow.run")})
		tx.Place(sensor, gateway)
		return tx.Assign(rbac.Assignment{Subject: "ann", Role: operator, Domain: acme})
	})
	if err != nil {
		log.Fatal(err)
	}

	view := rbac.On("view", sensor)
	fmt.Println(e.Check(noon, rbac.Question{Subject: "ann", Domain: acme, Permission: view}))
	fmt.Println(e.Check(noon, rbac.Question{Subject: "ann", Domain: "other", Permission: view}))
	fmt.Println(e.Explain(noon, rbac.Question{Subject: "ann", Domain: acme, Permission: rbac.On("delete", sensor)}))
	for subject, d := range e.Snapshot().WhoMay(noon, acme, view) {
		fmt.Println(subject, "may view it through", d.Role)
	}
	// Output:
	// allowed: role "operator" held in "acme" inherits "viewer", which grants it on "device":"7" in "integration":"1"
	// denied: the subject holds no role here
	// may "ann" do "delete" on "device":"7" in "acme"? denied: no role held grants it
	// - "operator", held in "acme", on "device":"7": no grant
	// - "operator" -> "viewer", held in "acme", on "device":"7": no grant
	// - "operator", held in "acme", on "device":"7" in "integration":"1": no grant
	// - "operator" -> "viewer", held in "acme", on "device":"7" in "integration":"1": no grant
	// ann may view it through "operator"
}
