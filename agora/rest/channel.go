package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// The channel queries ("Dashboard RESTful API", section 6). "user" is a word of
// the path where an App ID stands otherwise; the longer patterns win.
var channelCalls = []surface.Operation{
	surface.Op("GET /channel/user/property/{appid}/{uid}/{cname}", userProperty),
	surface.Op("GET /channel/user/{appid}/{cname}", userList),
	surface.Op("GET /channel/user/{appid}/{cname}/hosts_only", hostList),
	surface.Op("GET /channel/{appid}", channelList),
}

// found is the answer of a query.
type found struct {
	Success bool `json:"success"`
	Data    any  `json:"data"`
}

func userProperty(ctx context.Context, in struct {
	AppID agora.AppID `path:"appid"`
	UID   string      `path:"uid"`
	CName string      `path:"cname"`
}) (found, error) {
	uid, err := agora.ParseUID(in.UID)
	if err != nil {
		return found{}, err
	}
	p, err := account(ctx).UserProperty(in.AppID, uid, in.CName)
	type absent struct {
		InChannel bool `json:"in_channel"`
	}
	if !p.InChannel {
		return found{true, absent{}}, err
	}
	return found{true, struct {
		Join      int64      `json:"join"`
		InChannel bool       `json:"in_channel"`
		Role      agora.Role `json:"role"`
		UID       agora.UID  `json:"uid"`
	}{p.Joined.Unix(), true, p.Role, p.UID}}, err
}

// exists begins the answer of a query about one channel; it is all of it when
// there is no such channel. A table in the documents spells it channel_exsit.
type exists struct {
	ChannelExist bool       `json:"channel_exist"`
	Mode         agora.Mode `json:"mode,omitzero"`
}

type channelPath struct {
	AppID agora.AppID `path:"appid"`
	CName string      `path:"cname"`
}

func userList(ctx context.Context, in channelPath) (found, error) {
	u, err := account(ctx).Users(in.AppID, in.CName)
	head := exists{u.Exists, u.Mode}
	switch {
	case !u.Exists:
		return found{true, head}, err
	case u.Mode == agora.Communication:
		return found{true, struct {
			exists
			Total int         `json:"total"`
			Users []agora.UID `json:"users"`
		}{head, u.Total, u.Users}}, err
	}
	return found{true, struct {
		exists
		Broadcaster   []agora.UID `json:"broadcaster"`
		Broadcasters  []agora.UID `json:"broadcasters"` // its later name
		Audience      []agora.UID `json:"audience"`
		AudienceTotal int         `json:"audience_total"`
	}{head, u.Broadcasters, u.Broadcasters, u.Audience, u.AudienceTotal}}, err
}

func hostList(ctx context.Context, in channelPath) (found, error) {
	u, err := account(ctx).Hosts(in.AppID, in.CName)
	head := exists{u.Exists, u.Mode}
	if u.Mode != agora.LiveBroadcast {
		return found{true, head}, err
	}
	return found{true, struct {
		exists
		Broadcasters []agora.UID `json:"broadcasters"`
	}{head, u.Broadcasters}}, err
}

func channelList(ctx context.Context, in struct {
	AppID    agora.AppID `path:"appid"`
	PageNo   int         `query:"page_no" json:"page_no" default:"0"`
	PageSize int         `query:"page_size" json:"page_size" default:"100"`
}) (found, error) {
	page, err := account(ctx).Channels(in.AppID, in.PageNo, in.PageSize)
	type channel struct {
		Name  string `json:"channel_name"`
		Users int    `json:"user_count"`
	}
	list := make([]channel, len(page.Channels))
	for i, c := range page.Channels {
		list[i] = channel{c.Name, c.Users}
	}
	return found{true, struct {
		Channels  []channel `json:"channels"`
		TotalSize int       `json:"total_size"`
	}{list, page.Total}}, err
}
