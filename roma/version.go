package roma

import "github.com/gatehouse-go/gatehouse/roma/fault"

// APIVersion is a version of the API itself (3.4).
type APIVersion struct {
	ID         string `json:"id"`
	Version    string `json:"version"`     // "": not in use
	MinVersion string `json:"min_version"` // "": not in use
	Status     string `json:"status"`      // CURRENT, SUPPORTED, DEPRECATED
	Updated    string `json:"updated"`
	Links      []Link `json:"links"`
}

// Link is where a version of the API is.
type Link struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// APIVersions returns the versions of the API, whose links begin with base
// (3.4.1). The samples of the document differ on their status.
func APIVersions(base string) []APIVersion {
	version := func(id, status, updated string) APIVersion {
		return APIVersion{ID: id, Status: status, Updated: updated, Links: []Link{{"self", base + "/" + id}}}
	}
	return []APIVersion{
		version("v1", "SUPPORTED", "2018-02-12T02:12:12Z"),
		version("v2", "CURRENT", "2020-06-28T12:20:21Z"),
	}
}

// FindAPIVersion returns a version of the API (3.4.2). The document is silent
// on one that is not there: ROMA.4041000 as 404.
func FindAPIVersion(base, id string) (APIVersion, error) {
	for _, v := range APIVersions(base) {
		if v.ID == id {
			return v, nil
		}
	}
	return APIVersion{}, fault.Of("ROMA.4041000").AsStatus(404)
}
