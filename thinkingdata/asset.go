package thinkingdata

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// AssetID is the number of an asset, unique over all projects and kept when it
// changes hands.
type AssetID int64

// AssetKind is what an asset is.
type AssetKind string

// The vendor's kinds. A host may have others.
const (
	Dashboard      AssetKind = "dashboard"
	Report         AssetKind = "report"
	Cohort         AssetKind = "cohort"
	Tag            AssetKind = "tag"
	Alert          AssetKind = "alert"
	CustomProperty AssetKind = "custom property"
)

// MaxAssetName is the longest name of an asset, in characters, and the longest
// kind.
const MaxAssetName = 255

// Asset is something that a user has made in a project. The open API only hands
// assets over; making and sharing them is the host's.
type Asset struct {
	ID      AssetID
	Project ProjectID
	Kind    AssetKind
	Name    string
	Owner   UserID
}

// NewAsset says what asset to add.
type NewAsset struct {
	Project ProjectID
	Kind    AssetKind
	Name    string
	Owner   string // the login name of a member of the project, or a supervisor
}

// AddAsset adds an asset.
func (s *System) AddAsset(ctx context.Context, n NewAsset) (Asset, error) {
	for _, f := range []struct{ param, value string }{{"kind", string(n.Kind)}, {"name", n.Name}} {
		switch {
		case strings.TrimSpace(f.value) == "":
			return Asset{}, Missing(f.param)
		case !utf8.ValidString(f.value) || utf8.RuneCountInString(f.value) > MaxAssetName:
			return Asset{}, Malformed(f.param, f.value, fmt.Sprintf("is not UTF-8 of at most %d characters", MaxAssetName))
		}
	}
	login, err := given("owner", n.Owner)
	if err != nil {
		return Asset{}, err
	}
	row := assetRow{Project: n.Project, Kind: n.Kind, Name: n.Name}
	err = s.update(ctx, func(w storage.Writer) error {
		if err := s.needProject(w, "projectId", n.Project); err != nil {
			return err
		}
		owner, found, err := s.byLogin(w, login)
		if err != nil {
			return err
		}
		if !found {
			return userNotExist("owner", login)
		}
		member, err := s.isMember(w, n.Project, owner.ID)
		if err != nil {
			return err
		}
		if !member && !owner.Supervisor {
			return invalidItem("owner", login, fmt.Sprintf("the user is no member of project %d", n.Project))
		}
		number, err := of(s).tables.assetID.Next(w)
		if err != nil {
			return err
		}
		row.ID, row.Owner = AssetID(number), owner.ID
		return of(s).tables.assets.Insert(w, row)
	})
	if err != nil {
		return Asset{}, err
	}
	return Asset(row), nil
}

// RemoveAsset deletes an asset with its shares.
func (s *System) RemoveAsset(ctx context.Context, id AssetID) error {
	return s.update(ctx, func(w storage.Writer) error {
		err := of(s).tables.assets.Delete(w, table.Int(id))
		if errors.Is(err, table.ErrNotFound) {
			return assetNotExist(id)
		}
		return err
	})
}

func assetNotExist(id AssetID) error {
	return notExist("assetId", fmt.Sprint(id), fmt.Sprintf("asset %d does not exist", id))
}

// Asset returns an asset, from memory.
func (s *System) Asset(id AssetID) (Asset, error) {
	a, found := s.state().assets.Get(id)
	if !found {
		return Asset{}, assetNotExist(id)
	}
	return Asset(a.assetRow), nil
}

// Shares are with whom an asset is shared, besides its owner. Only members of
// its project and supervisors ever see it.
type Shares struct {
	All    bool // with all members, but those on the blacklist
	Users  []UserID
	Groups []GroupID // of the asset's project or the company scope
	Roles  []RoleName
}

// SetShares replaces the shares of an asset. All that is named must exist.
func (s *System) SetShares(ctx context.Context, id AssetID, shares Shares) error {
	return s.update(ctx, func(w storage.Writer) error {
		a, err := of(s).tables.assets.Get(w, table.Int(id))
		if errors.Is(err, table.ErrNotFound) {
			return assetNotExist(id)
		}
		if err != nil {
			return err
		}
		rows, err := s.shareRows(w, a, shares)
		if err != nil {
			return err
		}
		if _, err := of(s).tables.shares.Prefix(table.Int(id)).Delete(w); err != nil {
			return err
		}
		for _, row := range rows {
			if err := of(s).tables.shares.Put(w, row); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *System) shareRows(r storage.Reader, a assetRow, shares Shares) ([]shareRow, error) {
	var rows []shareRow
	if shares.All {
		rows = append(rows, shareRow{Asset: a.ID, Project: a.Project})
	}
	for _, u := range shares.Users {
		if _, found, err := s.byID(r, u); err != nil {
			return nil, err
		} else if !found {
			return nil, userNotExist("users", fmt.Sprint(u))
		}
		rows = append(rows, shareRow{Asset: a.ID, Project: a.Project, User: u})
	}
	for _, g := range shares.Groups {
		group, err := of(s).tables.groups.Get(r, table.Int(g))
		if errors.Is(err, table.ErrNotFound) || err == nil && group.Project != a.Project && group.Project != CompanyScope {
			return nil, groupNotExist("groups", fmt.Sprint(g))
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, shareRow{Asset: a.ID, Project: a.Project, Group: g})
	}
	for _, name := range shares.Roles {
		if err := s.needRole(r, a.Project, name); err != nil {
			return nil, err
		}
		rows = append(rows, shareRow{Asset: a.ID, Project: a.Project, Role: name})
	}
	return rows, nil
}

// Shares returns with whom an asset is shared, each list ascending.
func (s *System) Shares(ctx context.Context, id AssetID) (Shares, error) {
	var shares Shares
	err := s.view(ctx, func(r storage.Reader) error {
		if there, err := of(s).tables.assets.Has(r, table.Int(id)); err != nil {
			return err
		} else if !there {
			return assetNotExist(id)
		}
		for row, err := range of(s).tables.shares.Prefix(table.Int(id)).Rows(r) {
			switch {
			case err != nil:
				return err
			case row.User != 0:
				shares.Users = append(shares.Users, row.User)
			case row.Group != 0:
				shares.Groups = append(shares.Groups, row.Group)
			case row.Role != "":
				shares.Roles = append(shares.Roles, row.Role)
			default:
				shares.All = true
			}
		}
		slices.Sort(shares.Roles)
		return nil
	})
	return shares, err
}
