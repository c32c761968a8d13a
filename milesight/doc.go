// Package milesight is the user directory of Milesight's Beaver IoT platform in
// process: users, roles, the menus that roles open, the resources that they are
// granted, and the tokens that users sign in with.
//
//	sys, err := milesight.New(memory.New(memory.Config{}), milesight.Config{})
//	...
//	tenant, err := sys.Tenant(milesight.DefaultTenant)
//	_, err = tenant.Register(ctx, milesight.NewUser{Email: "root@example.com", Nickname: "root", Password: "Passw0rd"})
//	token, err := tenant.Token(ctx, milesight.TokenRequest{
//		GrantType: milesight.PasswordGrant, ClientID: "iab", ClientSecret: "milesight*iab",
//		Username: "root@example.com", Password: "Passw0rd",
//	})
//	caller, err := tenant.Authenticate(token.AccessToken)
//	role, err := caller.CreateRole(ctx, "operators", "")
//
// A [Caller] has the calls of the vendor's API, one method for each, and each
// asks first whether the caller may; [Tenant.Host] is the caller for programs
// that embed the package. Package milesight/rest serves them over HTTP.
//
// # Who may do what
//
// Package rbac decides, on rules that are compiled from the records and that
// every judgement reads without a lock: see acl.go for what it is told. A user
// holds roles; a role opens menus, by their exact codes, and is granted
// resources; a grant on an integration reaches its devices and their entities,
// those that come later too. Who holds super_admin may do everything.
//
// Devices, integrations, dashboards and entities themselves are not here. A host
// says which there are and what contains what with [Tenant.AddResource]; then
// [Caller.May], [Caller.Filter] and [Tenant.Explain] answer for them.
//
// # Sources
//
// Comments cite the "REST API" document and, as "the server", what the vendor's
// open source server of version 1.1.0 does where the document is silent. Where
// that server is careless this package is not: only the first user registers by
// himself; only super admins manage users, roles and menus, unless
// [Config.OpenAdmin] is set; a revocation takes away what it names and nothing
// else.
package milesight
