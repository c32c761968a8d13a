package rbac_test

import (
	"fmt"
	"log"
	"slices"
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

// A list is reduced to what a user may see, on one snapshot.
func ExampleSnapshot_Filter() {
	viewer := rbac.Company.Role("viewer")
	device := func(id string) rbac.Resource { return rbac.Resource{Kind: "device", ID: id} }
	e := rbac.New()
	_, err := e.Change(func(tx *rbac.Tx) error {
		tx.Define(viewer, rbac.RoleSpec{})
		tx.Grant(rbac.Grant{Role: viewer, Permission: rbac.On("view", rbac.Resource{Kind: "integration", ID: "1"})})
		tx.Place(device("7"), rbac.Resource{Kind: "integration", ID: "1"})
		tx.Grant(rbac.Grant{Role: viewer, Permission: rbac.On("view", device("9"))})
		return tx.Assign(rbac.Assignment{Subject: "ann", Role: viewer})
	})
	if err != nil {
		log.Fatal(err)
	}
	all := slices.Values([]rbac.Resource{device("7"), device("8"), device("9")})
	fmt.Println(slices.Collect(e.Snapshot().Filter(noon, "ann", rbac.Company, "view", all)))
	// Output: ["device":"7" "device":"9"]
}

// A role made from a base keeps to the base's functions.
func ExampleBase() {
	analyst := rbac.Domain("project-2").Role("analyst_1462717171385241600")
	e := rbac.New()
	_, err := e.Change(func(tx *rbac.Tx) error {
		tx.SetBase(rbac.Base{
			Name:        "analyst",
			MustHave:    []rbac.Function{"viewCluster", "viewTag"},
			MustNotHave: []rbac.Function{"addProject"},
			MayAdd:      []rbac.Function{"useModel"},
		})
		tx.Define(analyst, rbac.RoleSpec{Base: "analyst"})
		tx.Grant(rbac.Grant{Role: analyst, Permission: rbac.Do("viewTag")})
		return tx.Grant(rbac.Grant{Role: analyst, Permission: rbac.Do("addProject")})
	})
	fmt.Println(err)
	// Output: rbac: role "analyst_1462717171385241600"("project-2") does not fit base "analyst": must have "viewCluster"; must not have "addProject"
}

// Who orders does not pay.
func ExampleExclusion() {
	buyer, payer := rbac.Company.Role("buyer"), rbac.Company.Role("payer")
	e := rbac.New()
	_, err := e.Change(func(tx *rbac.Tx) error {
		tx.Define(buyer, rbac.RoleSpec{})
		tx.Define(payer, rbac.RoleSpec{})
		tx.Exclude(rbac.Exclusion{A: buyer, B: payer})
		tx.Assign(rbac.Assignment{Subject: "ann", Role: buyer, Domain: "acme"})
		return tx.Assign(rbac.Assignment{Subject: "ann", Role: payer, Domain: "acme"})
	})
	fmt.Println(err)
	// Output: rbac: subject "ann" would hold both roles "buyer" and "payer" in "acme", which exclude each other
}
