//! What becomes of asynchronous events.

use domain::arn::Target;
use domain::names::Qualifier;
use domain::settings::EventInvokeConfig;

use super::{Answer, Call, Operations, marker, page_items, read_marker, write};
use crate::convert::event_invoke_config::{edit, shown};
use crate::generated::operations as op;
use crate::generated::types;

fn of_target(target: &Target, config: EventInvokeConfig) -> types::FunctionEventInvokeConfig {
    shown(&target.arn, target.qualifier.as_ref().unwrap_or(&Qualifier::Latest), config)
}

impl Operations {
    pub(super) async fn put_event_invoke_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::PutFunctionEventInvokeConfig>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let edit = edit(asked.maximum_retry_attempts, asked.maximum_event_age_in_seconds, asked.destination_config);
        let config = self.functions.put_event_invoke_config(&call.caller, &target, edit).await?;
        write::<op::PutFunctionEventInvokeConfig>(&of_target(&target, config))
    }

    pub(super) async fn update_event_invoke_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::UpdateFunctionEventInvokeConfig>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let edit = edit(asked.maximum_retry_attempts, asked.maximum_event_age_in_seconds, asked.destination_config);
        let config = self.functions.update_event_invoke_config(&call.caller, &target, edit).await?;
        write::<op::UpdateFunctionEventInvokeConfig>(&of_target(&target, config))
    }

    pub(super) fn get_event_invoke_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetFunctionEventInvokeConfig>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let config = self.functions.get_event_invoke_config(&call.caller, &target)?;
        write::<op::GetFunctionEventInvokeConfig>(&of_target(&target, config))
    }

    pub(super) async fn delete_event_invoke_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteFunctionEventInvokeConfig>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        self.functions.delete_event_invoke_config(&call.caller, &target).await?;
        write::<op::DeleteFunctionEventInvokeConfig>(&())
    }

    pub(super) fn list_event_invoke_configs(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListFunctionEventInvokeConfigs>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let after = read_marker(asked.marker.as_deref(), |qualifier| Some(Qualifier::parse(qualifier)))?;
        let items_max = page_items(asked.max_items);
        let page = self.functions.list_event_invoke_configs(&call.caller, &target, after.as_ref(), items_max)?;
        let shown = page.items.into_iter().map(|(qualifier, config)| shown(&target.arn, &qualifier, config));
        write::<op::ListFunctionEventInvokeConfigs>(&types::ListFunctionEventInvokeConfigsResponse {
            function_event_invoke_configs: Some(shown.collect()),
            next_marker: page.next.map(|qualifier| marker(&qualifier.to_string())),
        })
    }
}
