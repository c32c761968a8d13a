package thinkingdata

import "github.com/gatehouse-go/gatehouse/rbac"

// Operation is a call of the open API, by its path below /open/.
type Operation string

// The calls, in the order of the documents.
const (
	ListUsers         Operation = "list-auth-users-by-login-names"
	GetUser           Operation = "get-auth-user-info-by-login-name"
	GetStatus         Operation = "get-auth-user-status"
	LockMember        Operation = "member-lock"
	UnlockMember      Operation = "member-unlock"
	UnbindMFA         Operation = "unbind-auth-user-mfa"
	BatchCreate       Operation = "batch-create-auth-user-and-set-roles"
	CreateSSO         Operation = "create/ssoUser"
	DeleteFromProject Operation = "delete-auth-user-from-project"
	DeleteFromSystem  Operation = "delete-auth-user-from-system"
	GetGroup          Operation = "get-user-group-by-name"
	CreateGroup       Operation = "create-user-group"
	UpdateGroup       Operation = "update-user-group"
	DeleteGroup       Operation = "delete-user-group"
	GetRole           Operation = "get-project-role-by-role-desc"
	GetBaseFunctions  Operation = "get-base-role-functions"
	CreateRole        Operation = "create-project-role"
	UpdateRole        Operation = "update-project-role"
	DeleteRole        Operation = "delete-project-role"
	AddBlack          Operation = "share/add-black"
	AddBlackList      Operation = "share/add-black-list"
	AddBlackGroups    Operation = "share/add-black-group-list"
	CancelBlack       Operation = "share/cancel-black"
	DownloadBlack     Operation = "share/download-share-black"
)

// corporateOnly and anyToken part the calls by the documents' note "Support
// corporate tokens only".
var (
	corporateOnly = []Operation{
		ListUsers, GetUser, UnbindMFA, BatchCreate, DeleteFromSystem, GetBaseFunctions,
		AddBlack, AddBlackList, AddBlackGroups, CancelBlack, DownloadBlack,
	}
	anyToken = []Operation{
		GetStatus, LockMember, UnlockMember, CreateSSO, DeleteFromProject,
		GetGroup, CreateGroup, UpdateGroup, DeleteGroup,
		GetRole, CreateRole, UpdateRole, DeleteRole,
	}
)

// function is the permission to make the call.
func (op Operation) function() rbac.Function { return rbac.Function(op) }
