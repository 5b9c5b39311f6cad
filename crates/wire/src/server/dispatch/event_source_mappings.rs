//! Event source mappings.

use domain::limits;
use engine::event_source_mappings::Filter;
use uuid::Uuid;

use super::{Answer, Call, Operations, marker, read_marker, write};
use crate::convert::mapping::{edit, new_mapping, shown};
use crate::generated::operations as op;
use crate::generated::types;

impl Operations {
    pub(super) async fn create_event_source_mapping(&self, call: &Call<'_>) -> Answer {
        let new = new_mapping(&self.home, call.read::<op::CreateEventSourceMapping>()?)?;
        let made = self.mappings.create_event_source_mapping(&call.caller, new).await?;
        write::<op::CreateEventSourceMapping>(&shown(&self.home, &made))
    }

    pub(super) fn get_event_source_mapping(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetEventSourceMapping>()?;
        let found = self.mappings.get_event_source_mapping(&call.caller, &asked.uuid)?;
        write::<op::GetEventSourceMapping>(&shown(&self.home, &found))
    }

    pub(super) fn list_event_source_mappings(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListEventSourceMappings>()?;
        let after = read_marker(asked.marker.as_deref(), |id| Uuid::parse_str(id).ok())?;
        let target = asked.function_name.map(|name| self.home.read(&name, None)).transpose()?;
        let filter = Filter { source: asked.event_source_arn, target };
        // More than a page holds is cut, not refused (API reference, ListEventSourceMappings).
        let most = limits::MAPPING_PAGE_ITEMS as usize;
        let items_max = asked.max_items.and_then(|items| usize::try_from(items).ok()).unwrap_or(most).min(most);
        let page = self.mappings.list_event_source_mappings(&call.caller, &filter, after, items_max)?;
        let items = page.items.iter().map(|mapping| shown(&self.home, mapping));
        write::<op::ListEventSourceMappings>(&types::ListEventSourceMappingsResponse {
            event_source_mappings: Some(items.collect()),
            next_marker: page.next.map(|id| marker(&id.to_string())),
        })
    }

    pub(super) async fn update_event_source_mapping(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::UpdateEventSourceMapping>()?;
        let id = asked.uuid.clone();
        // What does not exist is said to before its parameters are judged.
        self.mappings.get_event_source_mapping(&call.caller, &id)?;
        let edit = edit(&self.home, asked)?;
        let updated = self.mappings.update_event_source_mapping(&call.caller, &id, edit).await?;
        write::<op::UpdateEventSourceMapping>(&shown(&self.home, &updated))
    }

    pub(super) async fn delete_event_source_mapping(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteEventSourceMapping>()?;
        let deleted = self.mappings.delete_event_source_mapping(&call.caller, &asked.uuid).await?;
        write::<op::DeleteEventSourceMapping>(&shown(&self.home, &deleted))
    }
}
